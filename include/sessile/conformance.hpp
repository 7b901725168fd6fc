// The conformance suite: what every SessionStore must do, one named function a behaviour.
#pragma once

#include <sessile/store.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::conformance {

using StorePtr = std::shared_ptr<SessionStore>;

/// How the suite gets at the store under test. `open` is required; a missing other hook makes the behaviours
/// that need it *skipped*, never passed.
class Harness {
 public:
  Harness() {}
  /// Opens the place under test with these options (clock, limits, observer, access …). Called many times;
  /// all handles see the same sessions. The place must be empty at the start.
  std::function<Result<StorePtr>(OpenOptions)> open;
  /// As `open`, after everything in memory was dropped: as a new process would see the place.
  std::function<Result<StorePtr>(OpenOptions)> reopen;
  /// Damages what is stored for `id` so that it cannot be read.
  std::function<Result<void>(SessionId id)> corrupt;
  /// Runs `command` (see second_process_main) with `arguments` against the same place in another process;
  /// returns what it printed.
  std::function<Result<std::string>(std::string command, std::vector<std::string> arguments)> second_process;
};

enum class Outcome { passed, failed, skipped };

/// What came of one behaviour.
class Report {
 public:
  Report() {}
  std::string group;
  std::string name;  ///< a sentence: "A removed session is not found"
  Outcome outcome = Outcome::failed;
  std::string reason;  ///< why it failed or was skipped
};

/// One behaviour of the suite.
class Behaviour {
 public:
  Behaviour() {}
  std::string_view group;
  std::string_view name;
  std::string_view slug;  ///< stable, for selection: "save.create_is_atomic"
};

/// All behaviours, in the order they run.
std::vector<Behaviour> behaviours();

/// Runs one behaviour, or all, blocking the calling thread. Every behaviour uses ids of its own and removes
/// what it made. Refuses (one failed report) a store that is not empty.
Report run(const Harness& harness, std::string_view slug);
std::vector<Report> run_all(const Harness& harness, std::function<void(const Report&)> progress = {});

/// What the second process does: `update N ID`, `append N ID` … against `store`; prints to the returned
/// string. A program that offers Harness::second_process calls it in its child.
Result<std::string> second_process_main(StorePtr store, std::string command,
                                        std::vector<std::string> arguments);

}  // namespace sessile::conformance
