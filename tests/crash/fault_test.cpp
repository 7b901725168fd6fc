// Every call through the seam fails once, or for good, in every operation of every store.
#include "crash_states.hpp"
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

/// What the operation begins with.
class Start {
 public:
  std::string name;
  std::vector<std::string> setup;  ///< operations; one that begins with '!': its syncs fail
  bool torn = false;               ///< every log ends in the middle of a record
};

bool is_log(const std::string& path) {
  return path.ends_with(".jsonl");
}

/// The disk with half a record behind the last one of each log.
Disk with_torn_logs(const Disk& disk) {
  std::map<InodeId, Bytes> files;
  for (const auto& [inode, node] : disk.files())
    files[inode] = node.current;
  std::size_t torn = 0;
  for (const auto& [path, content] : files_of(disk)) {
    if (!is_log(path)) continue;
    const std::size_t end = content->find_last_not_of('\n') + 1;
    const std::size_t begin = content->rfind('\n', end - 1) + 1;
    std::string text = *content;
    write_into(text, end + 1, content->substr(begin, (end - begin) / 2));
    for (auto& [inode, bytes] : files) {
      if (bytes == content) bytes = std::make_shared<const std::string>(text), ++torn;
    }
  }
  REQUIRE(torn > 0);
  std::map<InodeId, Entries> directories;
  for (const auto& [inode, node] : disk.directories())
    directories[inode] = node.current;
  return disk.image(files, directories);
}

/// Those of the subject, and what a failure of earlier may have left of a store that has logs.
std::vector<Start> starts_of(const Subject& subject) {
  std::vector<Start> all;
  for (const auto& [name, setup] : subject.starts())
    all.push_back(Start{name, setup, false});
  const auto write = subject.write_to_a_log();
  if (write.empty()) return all;
  std::vector<std::string> kept = subject.starts().at("kept");
  all.push_back(Start{"torn", kept, true});
  kept.push_back("!" + write);
  all.push_back(Start{"not synced", kept, false});
  return all;
}

class Trial {
 public:
  Trial(Subject& subject, const Start& start, const std::string& operation)
      : subject_(subject), start_(start), operation_(operation) {
    disk_ = set_up();
    if (start_.torn) disk_ = with_torn_logs(disk_);
    Machine machine(disk_);
    subject_.open(machine);
    found_before_ = subject_.verify();
    subject_.close();
  }

  /// The kinds of the operation's calls, when none fails.
  std::vector<std::string> calls(std::size_t longest_write) {
    std::vector<std::string> kinds;
    set_up();
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
    set_up();
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
  /// Makes the subject know what the disk holds: writes it to another one.
  Disk set_up() {
    subject_.forget();
    Machine machine{Disk()};
    subject_.open(machine);
    for (const std::string& step : start_.setup) {
      if (step.starts_with('!')) {
        run_unsynced(machine, step.substr(1));
      } else {
        REQUIRE(subject_.run(step).outcome == Outcome::done);
      }
    }
    subject_.close();
    return machine.disk().image_of_current();
  }
  void run_unsynced(Machine& machine, const std::string& step) {
    machine.before = [](const SeamCall& call) { return call.kind == "sync" ? EIO : 0; };
    const Effect effect = subject_.run(step);
    machine.before = nullptr;
    REQUIRE(effect.outcome == Outcome::indeterminate);
    REQUIRE(subject_.adopt(effect.object, subject_.observe().objects.at(effect.object)));
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
    const std::string found = subject_.verify();
    CHECK_MESSAGE((found.empty() || found == found_before_), found);
    if (subject_.writes_again_durably()) check_is_durable(machine.disk(), after, seen.written);
    subject_.close();
    check_nothing_open(machine);
  }

  /// What was written after the failure survives the power, when that takes all that it may.
  void check_is_durable(const Disk& disk, const Observation& seen, const std::string& written) {
    power_loss_states(disk, Sampling(), [&](const CrashState& state) {
      Machine rebooted(state.disk);
      subject_.open(rebooted);
      CHECK(subject_.observe().objects.at(written) == seen.objects.at(written));
      subject_.close();
      return false;
    });
  }

  Subject& subject_;
  const Start start_;
  const std::string operation_;
  Disk disk_;
  std::string found_before_;  // of plain lines a torn one stays
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
  for (const Start& start : starts_of(*subject)) {
    for (const std::string& operation : subject->operations()) {
      INFO(subject->name() << " " << start.name << " " << operation);
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
