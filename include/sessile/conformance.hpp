// The conformance suite: what every SessionStore must do, one named function a behaviour.
#pragma once

#include <sessile/store.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::conformance {

using StorePtr = std::shared_ptr<SessionStore>;

/// How the suite gets at the store under test. `open` is required; a missing other hook makes the behaviours
/// that need it *skipped*, never passed. Hooks are called from several threads, never two at a time but for
/// second_process.
class Harness {
 public:
  Harness() {}
  /// Opens the place under test with these options (clock, limits, observer, access …). Called many times;
  /// all handles see the same sessions, unless the store's Capabilities::reach is Reach::process. The place
  /// must be empty at the start.
  std::function<Result<StorePtr>(OpenOptions)> open;
  /// As `open`, after everything in memory was dropped: as a new process would see the place.
  std::function<Result<StorePtr>(OpenOptions)> reopen;
  /// Damages what is stored for `id` so that it cannot be read.
  std::function<Result<void>(SessionId id)> corrupt;
  /// Takes away whatever is stored for a session that `corrupt` damaged, where SessionStore::remove refuses
  /// to. Without it the damaged sessions of the corruption group stay behind.
  std::function<Result<void>(SessionId id)> discard;
  /// Runs second_process_main with `command` and `arguments` against the same place in another process, waits
  /// for it, and returns what it printed.
  std::function<Result<std::string>(std::string command, std::vector<std::string> arguments)> second_process;
};

enum class Outcome { passed, failed, skipped };

/// What came of one behaviour.
class Report {
 public:
  Report() {}
  std::string slug;
  std::string group;
  std::string name;  ///< a sentence: "A removed session is not found"
  Outcome outcome = Outcome::failed;
  std::string reason;  ///< why it failed ("expected …, got …") or was skipped; empty when it passed
};

/// One behaviour of the suite.
class Behaviour {
 public:
  Behaviour() {}
  std::string_view group;
  std::string_view name;
  std::string_view slug;  ///< stable, for selection: "create.race_has_one_winner"
};

/// All behaviours, in the order they run. The views live as long as the program.
std::vector<Behaviour> behaviours();

class RunOptions {
 public:
  RunOptions() noexcept {}
  /// How long one behaviour may take; one that hangs has failed, and its thread is left behind.
  RunOptions& deadline(std::chrono::seconds value) noexcept { return deadline_ = value, *this; }
  std::chrono::seconds deadline() const noexcept { return deadline_; }

 private:
  std::chrono::seconds deadline_{120};
};

/// Runs one behaviour, or all, blocking the calling thread. Every behaviour runs on a thread and an
/// io_context of its own, uses ids of its own and removes what it made. A store that is not empty is refused:
/// one failed report, whose slug is "harness". So is an unknown slug.
Report run(const Harness& harness, std::string_view slug, RunOptions options = RunOptions());
std::vector<Report> run_all(const Harness& harness, std::function<void(const Report&)> progress = {},
                            RunOptions options = RunOptions());

/// What the second process does against `store`; a program that offers Harness::second_process calls it in
/// its child and prints what it returns. Blocks. Errors: those of the operations; invalid_argument for an
/// unknown command.
///   `update N ID`       adds 1 to metadata.counter N times;
///   `append N ID`       appends N messages, each alone;
///   `create N PREFIX`   creates PREFIX, then tries to create PREFIX0 … PREFIX(N-1); returns the numbers it
///   won,
///                       each followed by a space.
Result<std::string> second_process_main(StorePtr store, std::string command,
                                        std::vector<std::string> arguments);

}  // namespace sessile::conformance
