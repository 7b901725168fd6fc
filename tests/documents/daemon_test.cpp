// A daemon's state.
#include "document_scratch.hpp"

#include <sessile/daemon_state.hpp>
#include <sessile/json.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

#include <atomic>

using namespace sessile;
using namespace std::chrono_literals;
using blocking::wait;
using Scratch = sessile::test::DocumentScratch;

namespace {

using Names = std::vector<std::string>;

class TestClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return TimePoint(std::chrono::microseconds(micros_.load())); }
  void advance(std::chrono::microseconds by) { micros_ += by.count(); }

 private:
  std::atomic<std::int64_t> micros_ = parse_time("2026-01-10T12:00:00Z")->time_since_epoch().count();
};

/// A daemon whose state is `daemon/state.json` in a directory of its own.
class Daemon {
 public:
  std::filesystem::path file() const { return scratch / "daemon/state.json"; }
  void write(std::string_view text) const {
    std::filesystem::create_directory(scratch / "daemon");
    test::write(file(), text);
  }
  json::value stored() const { return parse_json(test::read(file()), Origin::stored).value(); }
  /// The names of the quarantined files.
  Names quarantined() const {
    Names names;
    for (const std::string& name : Scratch::names(scratch / "daemon")) {
      if (name.find(".quarantine-") != std::string::npos) names.push_back(name);
    }
    return names;
  }
  std::size_t pending() const { return stored().at("first_turn_pending").as_object().size(); }

  const Scratch scratch;
  const std::shared_ptr<TestClock> clock = std::make_shared<TestClock>();
  const DocumentStore documents = open_documents(scratch.path()).value();
  const DaemonState state{documents, "daemon", "state", DaemonStateOptions().clock(clock)};
};

bool first(const Daemon& daemon, const char* id) {
  const FirstTurn turn = wait(daemon.state.consume_first_turn(id)).value();
  CHECK_FALSE(turn.not_saved.has_value());
  return turn.first;
}

std::string time_at(const Daemon& daemon, std::chrono::microseconds age) {
  return format_time(daemon.clock->now() - age);
}

}  // namespace

TEST_CASE("D1 a missing state reads as empty and makes nothing") {
  const Daemon daemon;
  const auto snapshot = wait(daemon.state.load()).value();
  CHECK(snapshot.fields.document().empty());
  CHECK(snapshot.quarantined.empty());
  CHECK(daemon.scratch.names().empty());
}

TEST_CASE(
    "D1 a malformed state is put aside with a time stamp, reads as empty, and is healed by the next write") {
  const std::string bomb(5000, '[');
  for (const std::string& bytes :
       {std::string("{\"fsm_state\": \"WAKE\""), std::string(), std::string(20, '\0'), std::string("[1,2]"),
        std::string("\"text\""), std::string("\xff\xfe"), std::string("{}{}"), std::string("1e999"), bomb}) {
    INFO(bytes.substr(0, 20));
    const Daemon daemon;
    daemon.write(bytes);
    const auto snapshot = wait(daemon.state.load()).value();
    CHECK(snapshot.fields.document().empty());
    const auto aside = daemon.quarantined();
    REQUIRE(aside.size() == 1);
    CHECK(aside[0].starts_with("state.json.quarantine-20"));
    CHECK(snapshot.quarantined == (daemon.scratch / ("daemon/" + aside[0])).string());
    CHECK(test::read(snapshot.quarantined) == bytes);
    CHECK_FALSE(std::filesystem::exists(daemon.file()));

    CHECK(wait(daemon.state.update([](DaemonFields& f) { f.fsm_state(FsmState::wake); })).has_value());
    CHECK(daemon.stored().at("fsm_state") == "WAKE");
    CHECK(wait(daemon.state.load()).value().quarantined.empty());
    CHECK(daemon.quarantined().size() == 1);
    CHECK(wait(daemon.documents.list("daemon")).value() == Names{"state"});
  }
}

TEST_CASE("D1 every malformed state is kept, whichever operation meets it") {
  const Daemon daemon;
  for (int i = 0; i < 20; ++i) {
    daemon.write("broken " + std::to_string(i));
    switch (i % 4) {
      case 0:
        CHECK(wait(daemon.state.mark_session_opened("s")).has_value());
        break;
      case 1:
        CHECK_FALSE(first(daemon, "s"));
        break;
      case 2:
        CHECK(wait(daemon.state.prune_stale()).value() == 0);
        break;
      default:
        CHECK_FALSE(wait(daemon.state.get_pending_digest()).value().has_value());
    }
  }
  CHECK(daemon.quarantined().size() == 20);
}

TEST_CASE("D1 where only the pending first turns are malformed, a copy is kept and the other fields stay") {
  const Daemon daemon;
  daemon.write(R"({"other":1,"first_turn_pending":["s"]})");
  CHECK(wait(daemon.state.load()).value().fields.document().at("other") == 1);
  REQUIRE(daemon.quarantined().size() == 1);
  CHECK(test::read(daemon.scratch / ("daemon/" + daemon.quarantined()[0])) ==
        R"({"other":1,"first_turn_pending":["s"]})");
  CHECK(daemon.stored() == json::value({{"other", 1}}));
  wait(daemon.state.mark_session_opened("s")).value();
  CHECK(first(daemon, "s"));
  CHECK(daemon.quarantined().size() == 1);
}

TEST_CASE("D1 a daemon of the longest name heals itself too") {
  const Scratch scratch;
  const auto documents = open_documents(scratch.path()).value();
  const std::string name(kMaxDocumentNameBytes, 'n');
  for (const char* bytes : {R"({"other":1,"first_turn_pending":["s"]})", "no json"}) {
    wait(documents.save_json("daemon", name, json::object())).value();
    test::write(scratch / ("daemon/" + name + ".json"), bytes);
    DaemonState state(documents, "daemon", name);
    CHECK(wait(state.mark_session_opened("s")).has_value());
  }
}

TEST_CASE("D1 a state that cannot be read at all is an error, and stays") {
  const Daemon daemon;
  std::filesystem::create_directories(daemon.file());
  CHECK_FALSE(wait(daemon.state.load()).has_value());
  CHECK_FALSE(wait(daemon.state.mark_session_opened("s")).has_value());
  CHECK(std::filesystem::is_directory(daemon.file()));
}

TEST_CASE("D2 the state is written for its owner alone") {
  const Daemon daemon;
  const test::Umask loose(0);
  wait(daemon.state.mark_session_opened("s")).value();
  CHECK(test::mode_of(daemon.file()) == 0600);
}

TEST_CASE("D3 the fields have getters, and others pass through in their order") {
  const Daemon daemon;
  daemon.write(
      R"({"z":{"deep":[1,2.50]},"fsm_state":"DREAMING","daemon_started_at":"2026-01-10T10:00:00+01:00",)"
      R"("last_digest_shown_at":1768046400,"pending_digest":{"text":"hi"},"last_learned_at":"2026-01-10 09:00:00",)"
      R"("last_session_ts":"nonsense","a":null})");
  const auto fields = wait(daemon.state.load()).value().fields;
  CHECK(fields.fsm_state() == FsmState::dreaming);
  CHECK(fields.daemon_started_at() == parse_time("2026-01-10T09:00:00Z"));
  CHECK(fields.last_digest_shown_at() == parse_time("2026-01-10T12:00:00Z"));
  CHECK(fields.pending_digest() == json::value({{"text", "hi"}}));
  CHECK(fields.last_learned_at() == parse_time("2026-01-10T09:00:00Z"));
  CHECK_FALSE(fields.last_session_ts().has_value());

  const auto now = daemon.clock->now();
  wait(daemon.state.update([now](DaemonFields& f) {
    f.fsm_state(FsmState::transitioning).last_session_ts(now);
  })).value();
  Names keys;
  const json::value stored = daemon.stored();
  for (const auto& field : stored.as_object())
    keys.emplace_back(field.key());
  CHECK(keys == Names{"z", "fsm_state", "daemon_started_at", "last_digest_shown_at", "pending_digest",
                      "last_learned_at", "last_session_ts", "a"});
  CHECK(daemon.stored().at("fsm_state") == "TRANSITIONING");
  CHECK(wait(daemon.state.load()).value().fields.last_session_ts() == now);
  CHECK(test::read(daemon.file()).find("2.5") != std::string::npos);
}

TEST_CASE("D3 the four states have their names, and no other has") {
  for (const FsmState state : {FsmState::wake, FsmState::transitioning, FsmState::sleep, FsmState::dreaming})
    CHECK(fsm_state_of(name(state)) == state);
  CHECK(name(FsmState::sleep) == "SLEEP");
  CHECK_FALSE(fsm_state_of("wake").has_value());
  CHECK_FALSE(DaemonFields({{"fsm_state", 1}}).fsm_state().has_value());
}

TEST_CASE("D3 an update that fails, or throws, changes nothing") {
  const Daemon daemon;
  wait(daemon.state.update([](DaemonFields& f) { f.fsm_state(FsmState::sleep); })).value();
  const auto before = test::read(daemon.file());
  CHECK_FALSE(wait(daemon.state.update([](DaemonFields& f) -> Result<void> {
                f.fsm_state(FsmState::wake);
                return Error(Errc::invalid_argument, "no");
              })).has_value());
  CHECK_FALSE(wait(daemon.state.update([](DaemonFields&) { throw std::runtime_error("no"); })).has_value());
  CHECK(test::read(daemon.file()) == before);
}

TEST_CASE("D4 opening a session notes the time, ignores an empty id, and prunes as it goes") {
  const Daemon daemon;
  wait(daemon.state.mark_session_opened("")).value();
  CHECK(daemon.scratch.names().empty());
  daemon.write(R"({"first_turn_pending":{"old":")" + time_at(daemon, 24h) + R"(","bad":1,"young":")" +
               time_at(daemon, 23h) + "\"}}");
  wait(daemon.state.mark_session_opened("new")).value();
  const auto pending = wait(daemon.state.load()).value().fields.first_turn_pending();
  CHECK(pending ==
        std::map<std::string, TimePoint>{{"new", daemon.clock->now()}, {"young", daemon.clock->now() - 23h}});
  for (int i = 0; i < 150; ++i) {
    daemon.clock->advance(1s);
    wait(daemon.state.mark_session_opened("s" + std::to_string(i))).value();
  }
  CHECK(daemon.pending() == 100);
  CHECK(first(daemon, "s149"));
  CHECK(first(daemon, "s50"));
  CHECK_FALSE(first(daemon, "s49"));
  const auto refused = wait(daemon.state.mark_session_opened(std::string("a\0b", 3)));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Errc::invalid_argument);
}

TEST_CASE("D5 a first turn is consumed exactly once") {
  const Daemon daemon;
  CHECK_FALSE(first(daemon, "s"));
  CHECK_FALSE(first(daemon, ""));
  wait(daemon.state.mark_session_opened("s")).value();
  wait(daemon.state.mark_session_opened("t")).value();
  const DaemonState other(open_documents(daemon.scratch.path()).value(), "daemon", "state");
  CHECK(wait(other.consume_first_turn("s")).value().first);
  CHECK_FALSE(first(daemon, "s"));
  CHECK(first(daemon, "t"));
  CHECK_FALSE(first(daemon, "t"));
  wait(daemon.state.mark_session_opened("s")).value();
  CHECK(first(daemon, "s"));
}

TEST_CASE("D6 prune_stale drops what is a day old, unknown or malformed, then all but the newest hundred") {
  const Daemon daemon;
  CHECK(wait(daemon.state.prune_stale()).value() == 0);
  json::object pending;
  pending["exactly"] = time_at(daemon, 24h);
  pending["naive"] = "2026-01-09T12:00:01";  // UTC: a second less than a day
  pending["naive old"] = "2026-01-09 11:59:59";
  pending["number"] = 1768046400;
  pending["null"] = nullptr;
  pending["text"] = "yesterday";
  pending["object"] = json::object();
  pending["future"] = time_at(daemon, -1h);
  for (int i = 0; i < 120; ++i)
    pending["n" + std::to_string(i)] = time_at(daemon, std::chrono::minutes(i));
  wait(daemon.documents.save_json("daemon", "state", {{"keep", 1}, {"first_turn_pending", pending}})).value();
  // Six by their age or value; of the 122 left, 22.
  CHECK(wait(daemon.state.prune_stale()).value() == 28);
  CHECK(daemon.pending() == 100);
  CHECK(daemon.stored().at("keep") == 1);
  CHECK(daemon.stored().at_pointer("/first_turn_pending").as_object().contains("n98"));
  CHECK_FALSE(daemon.stored().at_pointer("/first_turn_pending").as_object().contains("n99"));
  CHECK_FALSE(daemon.stored().at_pointer("/first_turn_pending").as_object().contains("naive"));
  const auto before = std::filesystem::last_write_time(daemon.file());
  CHECK(wait(daemon.state.prune_stale()).value() == 0);
  CHECK(std::filesystem::last_write_time(daemon.file()) == before);
}

TEST_CASE("D6 a naive time is UTC") {
  const Daemon daemon;
  daemon.write(R"({"first_turn_pending":{"old":"2026-01-09T12:00:00","young":"2026-01-09T12:00:01"}})");
  CHECK(wait(daemon.state.prune_stale()).value() == 1);
  CHECK(first(daemon, "young"));
}

TEST_CASE("D7 pruning pending first turns is pure: a new state, and the ids that went") {
  const auto now = *parse_time("2026-01-10T12:00:00Z");
  const json::object pending = {{"hour", format_time(now - 1h)},
                                {"bad", "?"},
                                {"less", format_time(now - 1h + 1us)},
                                {"more", format_time(now - 2h)}};
  const DaemonFields state({{"keep", 1}, {"first_turn_pending", pending}});
  const auto pruned = prune_first_turn_pending(state, now);
  CHECK(pruned.dropped == Names{"hour", "bad", "more"});
  CHECK(pruned.state.document() ==
        json::object({{"keep", 1}, {"first_turn_pending", {{"less", format_time(now - 1h + 1us)}}}}));
  CHECK(state.document().at("first_turn_pending").as_object().size() == 4);
  CHECK(prune_first_turn_pending(pruned.state, now).dropped.empty());
  CHECK(prune_first_turn_pending(state, now, 24h).dropped == Names{"bad"});
  CHECK(prune_first_turn_pending(DaemonFields(), now).state.document().empty());
  CHECK(prune_first_turn_pending(DaemonFields({{"first_turn_pending", 1}}), now).dropped.empty());
}

TEST_CASE("D8 a digest is given at most once in eighteen hours, consumed and persisted") {
  const Daemon daemon;
  CHECK_FALSE(wait(daemon.state.get_pending_digest()).value().has_value());
  const auto store = [&daemon](const char* text) {
    wait(daemon.state.update([text](DaemonFields& f) { f.pending_digest(text); })).value();
  };
  const auto take = [&daemon] { return wait(daemon.state.get_pending_digest()).value(); };
  store("one");
  CHECK(take() == json::value("one"));
  CHECK(daemon.stored() == json::value({{"last_digest_shown_at", format_time(daemon.clock->now())}}));
  CHECK_FALSE(take().has_value());
  store("two");
  CHECK_FALSE(take().has_value());
  daemon.clock->advance(18h - 1us);
  CHECK_FALSE(take().has_value());
  CHECK(daemon.stored().at("pending_digest") == "two");
  daemon.clock->advance(1us);
  CHECK(take() == json::value("two"));
  CHECK_FALSE(take().has_value());
}

TEST_CASE("D8 a malformed last time counts as never, and so does one that lies far ahead") {
  for (const char* shown : {"\"yesterday\"", "null", "{}", "true", "\"2030-01-01T00:00:00Z\""}) {
    const Daemon daemon;
    daemon.write(std::string(R"({"pending_digest":"d","last_digest_shown_at":)") + shown + "}");
    CHECK(wait(daemon.state.get_pending_digest()).value() == json::value("d"));
  }
  const Daemon daemon;
  daemon.write(R"({"pending_digest":"","last_digest_shown_at":null})");
  CHECK_FALSE(wait(daemon.state.get_pending_digest()).value().has_value());
  CHECK(test::read(daemon.file()) == R"({"pending_digest":"","last_digest_shown_at":null})");
}

TEST_CASE("D8 of many that ask at once one gets the digest") {
  const Daemon daemon;
  wait(daemon.state.update([](DaemonFields& f) { f.pending_digest("d"); })).value();
  asio::io_context context;
  int given = 0;
  for (int i = 0; i < 50; ++i) {
    asio::co_spawn(context, daemon.state.get_pending_digest(),
                   [&given](std::exception_ptr, Result<std::optional<json::value>> digest) {
                     given += digest.value().has_value() ? 1 : 0;
                   });
  }
  context.run();
  CHECK(given == 1);
}
