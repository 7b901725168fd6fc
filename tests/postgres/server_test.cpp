// The fixture itself: a server that tests can trust to be real, private, and gone afterwards.
#include "support/postgres_server.hpp"
#include "support/programs.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

using namespace sessile::testing;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

TEST_CASE("The server syncs, runs as somebody else than root and asks for the password over TCP") {
  PostgresServer& server = shared_postgres();
  CHECK(server.query("show fsync") == "on");
  CHECK(server.query("show synchronous_commit") == "on");
  CHECK(server.query("show full_page_writes") == "on");
  struct stat status {};
  REQUIRE(::stat((server.socket_directory() / "data").c_str(), &status) == 0);
  CHECK(status.st_uid != 0);
  const std::string psql = PostgresServer::program("psql").string();
  CHECK(run_program({psql, server.url(), "-XAtc", "select 7"}, {}).out == "7\n");
  std::string wrong = server.url();
  wrong.replace(wrong.find(server.password()), server.password().size(), "wrong");
  CHECK(run_program({psql, wrong, "-XAtc", "select 7"}, {}).code == 2);
  CHECK(run_program({psql, server.local_url(server.make_database()), "-XAtc", "select 7"}, {}).out == "7\n");
}

TEST_CASE("A killed server starts again with what was committed; a killed backend takes no one else's data") {
  PostgresServer& server = shared_postgres();
  const std::string database = server.make_database();
  server.query("create table t(a int); insert into t values (1)", database);
  server.kill_all();
  CHECK_FALSE(server.is_running());
  CHECK_THROWS(server.query("select 1"));
  server.start();
  CHECK(server.query("select sum(a) from t", database) == "1");
  server.restart();
  CHECK(server.query("select sum(a) from t", database) == "1");
  CHECK_THROWS(server.kill_backend(::getpid()));
}

TEST_CASE("A standby has what the primary acknowledged, and takes its place") {
  PostgresServer primary;
  const std::unique_ptr<PostgresServer> standby = primary.make_standby();
  primary.replicate_synchronously();
  primary.query("create table t(a int)");
  primary.query("insert into t values (1)");
  CHECK(standby->query("select pg_is_in_recovery()") == "t");
  CHECK_THROWS(standby->query("insert into t values (2)"));
  primary.kill_all();
  standby->promote();
  standby->query("insert into t values (2)");
  CHECK(standby->query("select sum(a) from t") == "3");
}

TEST_CASE("The server goes, and its folder, when the process that made it is killed") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    const PostgresServer server;
    const std::string folder = server.socket_directory().string() + '\n';
    if (::write(ends[1], folder.data(), folder.size()) < 0) ::_exit(1);
    for (;;)
      ::pause();
  }
  ::close(ends[1]);
  std::string folder;
  for (char next = 0; ::read(ends[0], &next, 1) == 1 && next != '\n';)
    folder += next;
  ::close(ends[0]);
  REQUIRE_FALSE(folder.empty());
  CHECK(fs::exists(folder + "/data/postmaster.pid"));
  CHECK(::kill(-child, SIGKILL) == 0);
  CHECK(wait_for_program(child) == 128 + SIGKILL);
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (fs::exists(folder) && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(20ms);
  CHECK_FALSE(fs::exists(folder));
}
