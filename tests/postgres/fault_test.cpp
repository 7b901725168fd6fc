// A server that fails its clients in every way it has: what they are told is true, typed, and holds no
// secret.
#include "postgres/writers.hpp"
#include "support/postgres_server.hpp"
#include "support/sound.hpp"

#include <sessile/blocking.hpp>
#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

void check_no_secret(const Error& error, const std::string& secret) {
  for (const std::string& text : {error.message(), error.detail(), error.outside_text(), error.path(),
                                  error.key(), error.operation()}) {
    CAPTURE(text);
    CHECK(text.find(secret) == std::string::npos);
  }
}

Error failure_of(const std::string& url, const std::string& secret) {
  const auto store = open_store(url).value();
  const Result<Written> written = blocking::save(*store, Session("s"));
  REQUIRE_FALSE(written);
  const Error error = written.error();
  MESSAGE(error.message());
  check_no_secret(error, secret);
  const auto listed = blocking::list(*store);
  if (!listed) check_no_secret(listed.error(), secret);
  return error;
}

void check_truth(const Tally& tally, const std::string& secret) {
  MESSAGE(tally.text());
  CHECK(tally.acknowledged > 0);
  CHECK(tally.acknowledged_lost == 0);
  CHECK(tally.failed_there == 0);
  CHECK(tally.twice == 0);
  CHECK(tally.strangers == 0);
  for (const auto& [code, count] : tally.failures) {
    CAPTURE(code);
    CHECK((code == "unavailable" || code == "indeterminate" || code == "locked" || code == "timed_out"));
  }
  for (const std::string& message : tally.messages) {
    CAPTURE(message);
    CHECK(message.find(secret) == std::string::npos);
  }
}

/// Backend processes of our clients, that is all but psql's.
std::vector<pid_t> backends(PostgresServer& server, const std::string& database) {
  std::istringstream text(server.query("select pid from pg_stat_activity where datname = '" + database +
                                       "' and pid <> pg_backend_pid() and backend_type = 'client backend'"));
  std::vector<pid_t> found;
  for (pid_t pid = 0; text >> pid;)
    found.push_back(pid);
  return found;
}

}  // namespace

TEST_CASE(
    "Backends terminated, killed with -9 and the server restarted under load: no acknowledged write lost") {
  PostgresServer& server = shared_postgres();
  const std::string database = server.make_database();
  const auto store = open_store(server.url(database) + "?pool_size=4").value();
  Writers writers(store, 6, "w");
  for (int round = 0; round < 4; ++round) {
    REQUIRE(writers.progress(4));
    server.query("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '" +
                 database + "'");
  }
  REQUIRE(writers.progress(4));
  const std::vector<pid_t> alive = backends(server, database);
  REQUIRE_FALSE(alive.empty());
  server.kill_backend(alive[0]);  // the server drops all connections and recovers by itself
  REQUIRE(writers.progress(4));
  server.restart();
  REQUIRE(writers.progress(4));
  server.kill_all();
  server.start();
  REQUIRE(writers.progress(4));
  writers.stop();
  check_truth(writers.compare(*store), server.password());
  check_sound(*store);
}

TEST_CASE(
    "Wrong password, unknown user, missing database, nobody listening: unavailable, and no credentials") {
  PostgresServer& server = shared_postgres();
  const std::string database = server.make_database();
  const std::string good = server.url(database) + "?retry_timeout=300ms";
  std::string url = good;
  url.replace(url.find(server.password()), server.password().size(), "wr0ng-pa55word");
  const Error password = failure_of(url, "wr0ng-pa55word");
  CHECK(password.code() == Errc::unavailable);
  CHECK(password.detail().find("password") != std::string::npos);

  url = good;
  url.replace(url.find("/" + database), database.size() + 1, "/missing_database");
  const Error missing = failure_of(url, server.password());
  CHECK(missing.code() == Errc::unavailable);
  CHECK(missing.detail().find("database") != std::string::npos);

  url = good;
  url.replace(url.find("//sessile:"), 10, "//nobody:");
  CHECK(failure_of(url, server.password()).code() == Errc::unavailable);

  url = good;
  url.replace(url.find(":" + std::to_string(server.port())), std::to_string(server.port()).size() + 1, ":1");
  const Error silent = failure_of(url, server.password());
  CHECK(silent.code() == Errc::unavailable);
  CHECK(silent.retryable());
  check_sound(good);
}

TEST_CASE("Too many connections, a read-only server and a server that is down are said so, and pass") {
  PostgresServer& server = shared_postgres();
  const std::string database = server.make_database();
  server.query("drop role if exists few; create role few login password 'few-secret' connection limit 1");
  server.query("grant create on database " + database + " to few");
  const std::string address = "@127.0.0.1:" + std::to_string(server.port()) + "/" + database;
  const std::string url = "postgres://few:few-secret" + address + "?retry_timeout=500ms&pool_size=1";
  {
    const auto first = open_store(url).value();
    blocking::save(*first, Session("s")).value();
    const Error many = failure_of(url, "few-secret");
    CHECK(many.code() == Errc::unavailable);
    CHECK(many.retryable());
    CHECK(many.detail().find("too many connections") != std::string::npos);
  }
  server.query("alter role few connection limit 20; alter role few set default_transaction_read_only = on");
  const Error read_only = failure_of(url, "few-secret");
  CHECK(read_only.code() == Errc::unavailable);
  CHECK(read_only.detail().find("read-only") != std::string::npos);
  server.query("alter role few reset default_transaction_read_only");
  const auto store = open_store(url).value();
  CHECK(blocking::save(*store, Session("s")));
  server.stop();
  const Result<SessionPtr> down = blocking::load(*store, "s");
  REQUIRE_FALSE(down);
  CHECK(down.error().code() == Errc::unavailable);
  check_no_secret(down.error(), "few-secret");
  server.start();
  CHECK(blocking::load(*store, "s"));
  check_sound(*store);
}

TEST_CASE("A lock held by somebody else, and an operation's own deadline, bound the wait") {
  PostgresServer& server = shared_postgres();
  const std::string database = server.make_database();
  const auto store = open_store(server.url(database) + "?lock_timeout=300ms").value();
  blocking::save(*store, Session("s")).value();
  std::thread holder([&] {
    server.query(
        "begin; select 1 from sessile.sessions where id = 's' for update; select pg_sleep(2); commit",
        database);
  });
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (
      server.query("select count(*) from pg_stat_activity where query like '%pg_sleep%' and state = 'active' "
                   "and pid <> pg_backend_pid()") != "1" &&
      std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(10ms);
  const auto locked = blocking::append(*store, "s", {Message("user", "x")});
  REQUIRE_FALSE(locked);
  CHECK(locked.error().code() == Errc::locked);
  holder.join();
  CHECK(blocking::load(*store, "s").value()->messages.empty());
  CHECK(blocking::append(*store, "s", {Message("user", "x")}));
  check_sound(*store);
}
