// The primary dies under load, its standby takes over: no acknowledged write is lost.
#include "postgres/writers.hpp"
#include "support/postgres_server.hpp"
#include "support/programs.hpp"
#include "support/sound.hpp"

#include <sessile/blocking.hpp>
#include <sessile/sessile.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <doctest/doctest.h>

#include <future>
#include <set>

using namespace sessile;
using namespace sessile::testing;

namespace {

std::string url_of_both(const PostgresServer& a, const PostgresServer& b) {
  return "postgres://" + a.user() + ":" + a.password() + "@127.0.0.1:" + std::to_string(a.port()) +
         ",127.0.0.1:" + std::to_string(b.port()) +
         "/postgres?target_session_attrs=read-write&connect_timeout=2";
}

pid_t append_elsewhere(const std::string& url, const std::string& id, int count, const std::string& tag) {
  return start_program({"/proc/self/exe", "child", "append", url, id, std::to_string(count), tag}, {});
}

}  // namespace

TEST_CASE("Two processes on different connections append to one session and lose nothing") {
  PostgresServer& server = shared_postgres();
  const std::string database = server.make_database();
  const auto store = open_store(server.local_url(database)).value();
  blocking::save(*store, Session("shared")).value();
  // One over TCP, one over the socket: they share nothing but the server.
  const pid_t one = append_elsewhere(server.url(database), "shared", 150, "one");
  const pid_t two = append_elsewhere(server.local_url(database), "shared", 150, "two");
  CHECK(wait_for_program(one) == 0);
  CHECK(wait_for_program(two) == 0);
  std::vector<std::string> ones, twos;
  const SessionPtr shared = blocking::load(*store, "shared").value();
  for (const Message& message : shared->messages) {
    const std::string text(message.content.as_string());
    (text.starts_with("one") ? ones : twos).push_back(text);
  }
  REQUIRE(ones.size() == 150);
  REQUIRE(twos.size() == 150);
  for (std::size_t i = 0; i < 150; ++i) {
    CHECK(ones[i] == "one " + std::to_string(i));
    CHECK(twos[i] == "two " + std::to_string(i));
  }
  check_sound(*store);
}

TEST_CASE("A host that takes the connection and says nothing is passed over") {
  PostgresServer& server = shared_postgres();
  // The kernel completes the handshake; nobody ever answers.
  boost::asio::io_context context;
  const boost::asio::ip::tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
  const boost::asio::ip::tcp::acceptor silent(context, any);
  const std::string url = "postgres://" + server.user() + ":" + server.password() +
                          "@127.0.0.1:" + std::to_string(silent.local_endpoint().port()) +
                          ",127.0.0.1:" + std::to_string(server.port()) + "/" + server.make_database() +
                          "?connect_timeout=2&retry_timeout=8s";
  const auto store = open_store(url).value();
  // As many attempts at once as there are hosts: none may lead back to the silent one.
  auto other = std::async(std::launch::async, [&] { return blocking::save(*store, Session("t")); });
  const auto saved = blocking::save(*store, Session("s"));
  const auto others = other.get();
  REQUIRE_MESSAGE(saved.has_value(), saved.error().message());
  REQUIRE_MESSAGE(others.has_value(), others.error().message());
  CHECK(blocking::load(*store, "s").has_value());
  check_sound(*store);
}

TEST_CASE("kill -9 of the primary under load, the standby promoted: 0 acknowledged writes are lost") {
  PostgresServer primary;
  const std::unique_ptr<PostgresServer> standby = primary.make_standby();
  primary.replicate_synchronously();
  const std::string url = url_of_both(primary, *standby);
  const auto store = open_store(url + "&pool_size=6").value();
  Writers writers(store, 8, "w");
  REQUIRE(writers.progress(20));
  const std::uint64_t before = writers.acknowledged();
  primary.kill_all();
  standby->promote();
  REQUIRE(writers.progress(20));  // the client found it by itself
  writers.stop();
  const auto truth = open_store(standby->local_url()).value();
  const Tally tally = writers.compare(*truth);
  MESSAGE("before the primary died " << before << " acknowledged; in all " << tally.text());
  CHECK(before >= 160);
  CHECK(tally.acknowledged >= before + 160);
  CHECK(tally.acknowledged_lost == 0);
  CHECK(tally.failed_there == 0);
  CHECK(tally.twice == 0);
  CHECK(tally.strangers == 0);
  for (const std::string& message : tally.messages)
    CHECK(message.find(primary.password()) == std::string::npos);
  check_sound(*truth);
}
