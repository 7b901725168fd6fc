// The stream cut at every byte of a save and of an append: whatever is answered is true.
#include "support/cutting_proxy.hpp"
#include "support/long_run.hpp"
#include "support/postgres_server.hpp"
#include "support/sound.hpp"

#include <sessile/blocking.hpp>
#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace sessile;
using namespace sessile::testing;

namespace {

enum class Write { save, append, append_keyed };
enum class State { cold, warm };  // a connection to be made, or one that has done this before

std::string name_of(Write write) {
  return write == Write::save ? "save" : write == Write::append ? "append" : "append with a key";
}

class Counts {
 public:
  int cuts = 0, acknowledged = 0, failed = 0, indeterminate = 0, indeterminate_there = 0;
};

/// One server, a store that reaches it through the proxy, and one that reaches it directly.
class Fixture {
 public:
  Fixture()
      : server(shared_postgres()),
        proxy(server.port()),
        database(server.make_database()),
        truth(open_store(server.local_url(database)).value()) {
    blocking::save(*truth, Session("base")).value();
  }

  std::shared_ptr<SessionStore> through_proxy() const {
    std::string url = server.url(database) + "?pool_size=1";
    const std::string port = std::to_string(server.port());
    url.replace(url.find(":" + port + "/"), port.size() + 1, ":" + std::to_string(proxy.port()));
    return open_store(url).value();
  }

  static Result<Written> write_once(SessionStore& store, Write write, const SessionId& id) {
    if (write == Write::save) {
      Session session(id);
      session.set_agent("a").add_message("user", "one").add_message("assistant", "two");
      return blocking::save(store, std::move(session));
    }
    AppendOptions options;
    if (write == Write::append_keyed) options.idempotency_key("the key");
    return blocking::append(store, id, {Message("user", "one"), Message("assistant", "two")}, options);
  }

  /// The number of messages of the session; -1: no session. All or nothing of a write must be there.
  std::int64_t messages_of(const SessionId& id) const {
    const auto loaded = blocking::load(*truth, id);
    if (!loaded) {
      REQUIRE(loaded.error().code() == Errc::not_found);
      return -1;
    }
    const auto count = static_cast<std::int64_t>((*loaded)->messages.size());
    REQUIRE((count == 0 || count == 2));
    return count;
  }

  /// How many bytes an uncut write passes on.
  std::uint64_t length(Write write, State state, Direction direction) {
    const auto store = through_proxy();
    proxy.count();
    prepare(*store, write, state, "length");
    if (state == State::warm) proxy.count();
    write_once(*store, write, "length").value();
    const std::uint64_t bytes = proxy.passed(direction);
    blocking::remove(*truth, "length").value();
    return bytes;
  }

  void prepare(SessionStore& store, Write write, State state, const SessionId& id) {
    if (write != Write::save) blocking::save(*truth, Session(id)).value();
    if (state == State::cold) return;
    if (write != Write::save) blocking::save(*truth, Session("warm")).value();
    write_once(store, write, "warm").value();
    blocking::remove(*truth, "warm").value();
  }

  PostgresServer& server;
  CuttingProxy proxy;
  const std::string database;
  const std::shared_ptr<SessionStore> truth;
  const SoundAtEnd sound{server.local_url(database)};
};

class Cuts {
 public:
  Cuts(Fixture& at, Write write, State state) : at_(at), write_(write), state_(state) {}

  Counts run(std::uint64_t step) {
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      const std::uint64_t length = at_.length(write_, state_, direction);
      REQUIRE(length > 100);
      auto store = at_.through_proxy();
      for (std::uint64_t bytes = 0; bytes < length; bytes += step) {
        CAPTURE(bytes);
        // A store of its own has no connection yet.
        if (state_ == State::cold) store = at_.through_proxy();
        cut_at(*store, direction, bytes);
      }
    }
    // What failed must not turn up later either: the server may have gone on by itself for a while.
    for (const SessionId& id : failed_)
      CHECK(at_.messages_of(id) == absent());
    return counts_;
  }

 private:
  std::int64_t absent() const { return write_ == Write::save ? -1 : 0; }

  void cut_at(SessionStore& store, Direction direction, std::uint64_t bytes) {
    const SessionId id("s-" + std::to_string(++number_));
    at_.prepare(store, write_, state_, id);
    at_.proxy.cut_after(direction, bytes);
    const Result<Written> written = Fixture::write_once(store, write_, id);
    if (at_.proxy.was_cut()) ++counts_.cuts;
    at_.proxy.count();
    if (written) {
      ++counts_.acknowledged;
      CHECK(at_.messages_of(id) == 2);
    } else if (written.error().code() == Errc::indeterminate) {
      ++counts_.indeterminate;
      if (at_.messages_of(id) == 2) ++counts_.indeterminate_there;
    } else {
      ++counts_.failed;
      CHECK(written.error().retryable());
      CHECK(at_.messages_of(id) == absent());
      failed_.push_back(id);
    }
    if (write_ == Write::append_keyed) settle(store, id, written);
    const std::string said =
        written ? std::string() : written.error().message() + written.error().outside_text();
    CHECK(said.find(at_.server.password()) == std::string::npos);
  }

  /// The same call again gives the answer of the first that was written, and writes nothing twice.
  void settle(SessionStore& store, const SessionId& id, const Result<Written>& first) {
    const Result<Written> again = Fixture::write_once(store, write_, id);
    REQUIRE(again);
    CHECK(at_.messages_of(id) == 2);
    CHECK(again->revision == blocking::load(*at_.truth, id).value()->revision);
    if (first) CHECK(again->replayed);
    std::erase(failed_, id);
  }

  Fixture& at_;
  const Write write_;
  const State state_;
  Counts counts_;
  std::vector<SessionId> failed_;
  int number_ = 0;
};

void enumerate(State state, std::uint64_t step) {
  for (const Write write : {Write::save, Write::append, Write::append_keyed}) {
    const std::string name = name_of(write);
    CAPTURE(name);
    Fixture at;
    const Counts counts = Cuts(at, write, state).run(step);
    MESSAGE(name << (state == State::warm ? ", warm" : ", cold") << ", every " << step << " bytes: cuts "
                 << counts.cuts << ", acknowledged " << counts.acknowledged << ", failed " << counts.failed
                 << ", indeterminate " << counts.indeterminate << " (there " << counts.indeterminate_there
                 << ")");
    CHECK(counts.cuts > 5);
    // The key settles by itself what the cut left open; without one the caller is told that it is open. (A
    // message is a byte shorter at times: then the last of the cuts never happen.)
    if (write == Write::append_keyed) {
      CHECK(counts.failed + counts.indeterminate == 0);
      CHECK(counts.acknowledged >= counts.cuts);
    } else {
      CHECK(counts.indeterminate > 0);
    }
  }
}

std::uint64_t step_of(std::uint64_t in_the_short_form) {
  return number_from_environment("SESSILE_STEP", in_the_short_form);
}

}  // namespace

TEST_CASE("A connection in use cut at byte N: there and acknowledged, absent and failed, or indeterminate") {
  enumerate(State::warm, step_of(97));
}

TEST_CASE("A connection cut at byte N while it is made, or at its first write") {
  enumerate(State::cold, step_of(307));
}
