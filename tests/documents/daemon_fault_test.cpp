// A daemon's state on a disk that fills.
#include "faulty_store.hpp"

#include <sessile/daemon_state.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

using namespace sessile;
using blocking::wait;
using sessile::test::Faults;
using Scratch = sessile::test::DocumentScratch;

namespace {

/// A daemon whose state is a file of `stored`, on a file system that can be made to fail.
class Daemon {
 public:
  explicit Daemon(const std::string& stored) : state(stored_in(scratch, stored, faults)) {}
  bool called(const char* call) const {
    return std::find(faults->calls.begin(), faults->calls.end(), call) != faults->calls.end();
  }

  const Scratch scratch;
  const std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  const DaemonState state;

 private:
  static DaemonState stored_in(const Scratch& scratch, const std::string& stored,
                               const std::shared_ptr<Faults>& faults) {
    std::filesystem::create_directory(scratch / "daemon");
    test::write(scratch / "daemon/state.json", stored);
    return DaemonState(test::open_faulty(scratch.path(), faults), "daemon", "state");
  }
};

/// Which of the calls of `work` is the last named `name`; the work is done on a copy of its own.
template <class Work>
int last_call(const std::string& name, const std::string& before, Work work) {
  const Daemon daemon(before);
  work(daemon.state);
  for (int i = static_cast<int>(daemon.faults->calls.size()) - 1; i >= 0; --i) {
    if (daemon.faults->calls[static_cast<std::size_t>(i)] == name) return i;
  }
  FAIL("no such call");
  return -1;
}

}  // namespace

TEST_CASE("D5 a first turn that cannot be stored is still given, once, in this process") {
  const std::string before =
      R"({"first_turn_pending":{"s":"2026-01-10T12:00:00Z","t":"2026-01-10T12:00:00Z"}})";
  const int full = last_call("write", before,
                             [](const DaemonState& state) { wait(state.consume_first_turn("s")).value(); });
  const Daemon daemon(before);
  daemon.faults->index = full;
  daemon.faults->error_number = ENOSPC;
  const FirstTurn turn = wait(daemon.state.consume_first_turn("s")).value();
  CHECK(turn.first);
  REQUIRE(turn.not_saved.has_value());
  CHECK(turn.not_saved->code() == Errc::unavailable);
  CHECK(test::contents(daemon.scratch / "daemon") ==
        std::map<std::string, std::string>{{"state.json", before}});

  daemon.faults->index = -1;
  // Another handle of this process knows it as well.
  const DaemonState other(open_documents(daemon.scratch.path()).value(), "daemon", "state");
  CHECK_FALSE(wait(daemon.state.consume_first_turn("s")).value().first);
  CHECK_FALSE(wait(other.consume_first_turn("s")).value().first);
  CHECK(wait(other.load()).value().fields.first_turn_pending().size() == 1);
  // The next write stores it.
  CHECK(wait(other.consume_first_turn("t")).value().first);
  CHECK(test::read(daemon.scratch / "daemon/state.json").find("\"s\"") == std::string::npos);
  // A session that is opened again has another first turn.
  wait(daemon.state.mark_session_opened("s")).value();
  CHECK(wait(other.consume_first_turn("s")).value().first);
}

TEST_CASE("D8 a digest that is taken, and perhaps not durably so, is given") {
  const std::string before = R"({"pending_digest":"d"})";
  const int last = last_call("sync directory", before,
                             [](const DaemonState& state) { wait(state.get_pending_digest()).value(); });
  const Daemon daemon(before);
  daemon.faults->index = last;
  CHECK(wait(daemon.state.get_pending_digest()).value() == json::value("d"));
  daemon.faults->index = -1;
  CHECK_FALSE(wait(daemon.state.get_pending_digest()).value().has_value());
}

TEST_CASE("A change of nothing is as durable as it says") {
  const std::string before = R"({"pending_digest":"d"})";
  const auto nothing = [](DaemonFields&) {};
  const int last = last_call("sync directory", before,
                             [&](const DaemonState& state) { wait(state.update(nothing)).value(); });
  const Daemon sound(before);
  CHECK(wait(sound.state.update(nothing)).has_value());
  CHECK_FALSE(sound.called("rename"));
  const Daemon daemon(before);
  daemon.faults->index = last;
  CHECK(wait(daemon.state.update(nothing)).has_value());
  CHECK(daemon.called("rename"));
}

TEST_CASE("D2 a disk that fills at any call of a change leaves the old state and no temporary file") {
  const std::string before = R"({"first_turn_pending":{},"pending_digest":"d"})";
  const auto changes = {
      +[](const DaemonState& state) { return wait(state.mark_session_opened("s")).has_value(); },
      +[](const DaemonState& state) { return wait(state.get_pending_digest()).has_value(); },
      +[](const DaemonState& state) {
        return wait(state.update([](DaemonFields& f) { f.fsm_state(FsmState::sleep); })).has_value();
      }};
  for (const auto change : changes) {
    int failures = 0;
    for (int index = 0;; ++index) {
      const Daemon daemon(before);
      daemon.faults->index = index;
      daemon.faults->error_number = ENOSPC;
      const bool done = change(daemon.state);
      const bool reached = static_cast<int>(daemon.faults->calls.size()) > index;
      const bool renamed = daemon.called("rename") && daemon.faults->calls.back() == "sync directory";
      const auto after = test::contents(daemon.scratch / "daemon");
      CHECK(after.size() == 1);
      if (!done && !renamed) {
        ++failures;
        CHECK(after.at("state.json") == before);
      }
      if (!reached) break;
    }
    CHECK(failures >= 3);
  }
}

TEST_CASE("D1 a disk that fills while a malformed state is healed loses nothing of it") {
  for (const std::string& bytes :
       {std::string("{broken"), std::string(R"({"k":1,"first_turn_pending":[]})")}) {
    for (int index = 0;; ++index) {
      const Daemon daemon(bytes);
      daemon.faults->index = index;
      daemon.faults->error_number = ENOSPC;
      wait(daemon.state.mark_session_opened("s")).ignore();
      bool kept = false;
      for (const auto& [name, content] : test::contents(daemon.scratch / "daemon"))
        kept = kept || content == bytes;
      CHECK(kept);
      if (static_cast<int>(daemon.faults->calls.size()) <= index) break;
      daemon.faults->index = -1;
      CHECK(wait(daemon.state.mark_session_opened("s")).has_value());
      CHECK(wait(daemon.state.consume_first_turn("s")).value().first);
    }
  }
}
