// Every call through the seam fails once, or for good, in every operation of every store.
#include "failing_calls.hpp"
#include "history.hpp"
#include "subject.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>

using namespace sessile;
using namespace sessile::crash;

namespace {

using Errnos = std::vector<int>;

/// What the kernel may plausibly answer.
Errnos errnos_of(const std::string& kind) {
  static const std::map<std::string, Errnos> known{
      {"open", {EIO, EACCES, EMFILE, ENFILE, ENOMEM, ESTALE, EINTR}},
      {"create", {ENOSPC, EIO, EDQUOT, EACCES, EMFILE, ENFILE, ENOMEM, EROFS, ESTALE}},
      {"make_directory", {ENOSPC, EIO, EDQUOT, EACCES, EROFS, ENOMEM, ESTALE}},
      {"read", {EIO, ESTALE, EINTR}},
      {"write", {ENOSPC, EIO, EDQUOT, EFBIG, ENOMEM, EINTR, ESTALE}},
      {"truncate", {EIO, ENOSPC, EROFS, EINTR, ESTALE}},
      {"sync", {EIO, ENOSPC, EDQUOT, EINTR, EROFS}},
      {"sync_directory", {EIO, ENOSPC, EDQUOT, EINTR, EROFS}},
      {"rename", {EIO, ENOSPC, EDQUOT, EACCES, EROFS, ESTALE, ENOMEM}},
      {"remove", {EIO, EACCES, EROFS, EPERM, ENOSPC, EDQUOT, ESTALE}},
      {"close", {EIO, ENOSPC, EDQUOT}},
      {"lock", {EIO, ENOLCK, EACCES, EMFILE, EROFS, ENOSPC, ENOMEM}},
  };
  const auto found = known.find(kind);
  return found == known.end() ? Errnos{EIO, EACCES, EMFILE, ENOMEM, ESTALE} : found->second;
}

/// All errnos of every call, when asked for; else one, another for each call.
bool is_thorough() {
  return std::getenv("SESSILE_THOROUGH") != nullptr;  // NOLINT: one thread
}

/// A failure of one call of an operation.
class Fault {
 public:
  std::size_t call = 0;
  int number = EIO;
  bool persistent = false;  ///< all later calls of the kind fail as well
  std::size_t longest_write = SIZE_MAX;
};

/// In parts of which size a write is also tried, so that a call in the middle of it can fail: of a small
/// record, which fits where there is room, and of a large one, with padding after it. 0: in none.
std::size_t short_write_of(const std::string& operation) {
  if (operation.starts_with("append") || operation.starts_with("add")) return 150;
  return operation.starts_with("grow") || is_thorough() ? 1500 : 0;
}

class Trial {
 public:
  Trial(Subject& subject, const std::string& start, const std::string& operation)
      : subject_(subject), operation_(operation) {
    subject_.forget();
    Machine machine{Disk()};
    subject_.open(machine);
    setup_ = subject_.starts().at(start);
    for (const std::string& step : setup_)
      REQUIRE(subject_.run(step).outcome == Outcome::done);
    subject_.close();
    disk_ = machine.disk().image_of_current();
  }

  /// The kinds of the operation's calls, when none fails.
  std::vector<std::string> calls(std::size_t longest_write) {
    std::vector<std::string> kinds;
    prepare();
    Machine machine(disk_);
    machine.longest_write = longest_write;
    subject_.open(machine);
    note_calls(machine, kinds);
    expected_ = subject_.run(operation_).outcome;
    machine.before = nullptr;
    subject_.close();
    return kinds;
  }

  void run(const Fault& fault) {
    prepare();
    Machine machine(disk_);
    machine.longest_write = fault.longest_write;
    subject_.open(machine);
    const auto before = subject_.expected();
    const auto failed = fail_call(machine, fault.call, fault.number, fault.persistent);
    const Effect effect = subject_.run(operation_);
    machine.before = nullptr;
    const std::string& kind = *failed;
    CAPTURE(kind);
    CAPTURE(effect.error);
    check_outcome(effect);
    check_state(before, effect);
    const bool may_be_left = kind == "remove" || kind == "list";
    if (!may_be_left) CHECK(temporary_files(machine.disk()) == std::vector<std::string>());
    check_goes_on(machine);
  }

 private:
  /// Makes the subject know what the disk holds: repeats what was written to it.
  void prepare() {
    subject_.forget();
    Machine machine{Disk()};
    subject_.open(machine);
    for (const std::string& step : setup_)
      subject_.run(step);
    subject_.close();
  }

  void check_outcome(const Effect& effect) {
    if (effect.outcome == Outcome::done || expected_ != Outcome::done) return;
    static const std::set<Errc> typed{Errc::io, Errc::unavailable, Errc::too_large, Errc::indeterminate};
    INFO("the error is " << effect.error);
    CHECK(typed.contains(effect.code));
  }

  void check_state(const std::map<std::string, State>& before, const Effect& effect) {
    const Observation now = subject_.observe();
    CHECK(now.problem == "");
    for (const auto& [object, state] : now.objects) {
      const State& old = before.at(object);
      const bool mine = object == effect.object && effect.outcome != Outcome::failed;
      if (mine && effect.outcome == Outcome::done) {
        CHECK(matches(effect.state, state));
      } else if (!mine) {
        CHECK(state == old);
      } else {
        CHECK(subject_.adopt(object, state));
      }
    }
  }

  /// The store that saw the failure writes again, and a new one reads all that.
  void check_goes_on(Machine& machine) {
    Observation seen = subject_.observe();
    subject_.write_again(seen);
    CHECK(seen.problem == "");
    const Observation after = (subject_.open(machine), subject_.observe());
    CHECK(after.problem == "");
    CHECK(after.unlisted == std::set<std::string>());
    for (const auto& [object, state] : after.objects) {
      if (object != seen.written) CHECK(state == seen.objects.at(object));
    }
    subject_.close();
    check_nothing_open(machine);
  }

  Subject& subject_;
  const std::string operation_;
  std::vector<std::string> setup_;
  Disk disk_;
  Outcome expected_ = Outcome::done;
};

std::size_t fail_everywhere(Trial& trial, std::size_t longest_write, std::size_t& turn) {
  std::size_t runs = 0;
  const auto kinds = trial.calls(longest_write);
  for (std::size_t call = 0; call < kinds.size(); ++call) {
    Errnos numbers = errnos_of(kinds[call]);
    if (!is_thorough()) numbers = {numbers[turn++ % numbers.size()]};
    for (const int number : numbers) {
      for (const bool persistent : {false, true}) {
        Fault fault;
        fault.call = call;
        fault.number = number;
        fault.persistent = persistent;
        fault.longest_write = longest_write;
        INFO("call " << call << " (" << kinds[call] << "), errno " << number << ", "
                     << (persistent ? "persistent" : "once"));
        trial.run(fault);
        ++runs;
      }
    }
  }
  return runs;
}

void check_subject(std::unique_ptr<Subject> subject) {
  std::size_t runs = 0;
  std::size_t turn = 0;
  for (const auto& [start, setup] : subject->starts()) {
    for (const std::string& operation : subject->operations()) {
      INFO(subject->name() << " " << start << " " << operation);
      Trial trial(*subject, start, operation);
      runs += fail_everywhere(trial, SIZE_MAX, turn);
      const std::size_t part = short_write_of(operation);
      if (part != 0) runs += fail_everywhere(trial, part, turn);
    }
  }
  MESSAGE(subject->name() << ": " << runs << " failures");
  CHECK(runs > 50);
}

}  // namespace

TEST_CASE(
    "27 a call of the filesystem store that fails leaves old or new, a typed error and a store that works") {
  check_subject(make_filesystem_subject());
}

TEST_CASE(
    "27 a call of the json_directory store that fails leaves old or new, a typed error and a store that "
    "works") {
  check_subject(make_json_directory_subject());
}

TEST_CASE("27 a call of the documents that fails leaves old or new, a typed error and a store that works") {
  check_subject(make_document_subject());
}

TEST_CASE("27 a call of the memory that fails leaves old or new, a typed error and a memory that works") {
  check_subject(make_memory_subject(Durability::power));
  check_subject(make_memory_subject(Durability::process));
}

TEST_CASE("27 a call of a session's log that fails leaves old or new, a typed error and a log that works") {
  check_subject(make_session_log_subject(Durability::power));
}
