// Cuts histories everywhere, and looks at what is left.
#pragma once

#include "crash_states.hpp"
#include "history.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace sessile::crash {

/// One history to make and to cut.
class Plan {
 public:
  std::string subject;
  std::string start;
  std::vector<std::string> operations;
  int fault = -1;  ///< the index of the call that fails, among those that can change something; -1: none

  /// `subject/start/operation,operation/fault`
  std::string text() const;
};

/// One state of one plan: what a failure prints, and `--replay` takes.
class StateId {
 public:
  Plan plan;
  std::size_t cut = 0;
  CrashKind kind = CrashKind::power;
  std::size_t index = 0;
  /// `subject/start/operations/fault/cut/kind/index`
  std::string text() const;
  static std::optional<StateId> parse(const std::string& text);
};

class Counts {
 public:
  std::uint64_t histories = 0;
  std::uint64_t cuts = 0;
  std::uint64_t sampled = 0;  ///< of these cuts: with more legal sets of what was pending than were looked at
  std::uint64_t states = 0;   ///< different ones of each cut
  std::uint64_t images = 0;   ///< of these, opened anew; the others were equal to one that was
  std::uint64_t again = 0;    ///< crashed a second time, in the write after the crash
  std::uint64_t failures = 0;
  std::uint64_t compactions = 0;  ///< of logs, by the operations of the histories
};

/// Used by one thread.
class Explorer {
 public:
  /// `sampling` is that of one cut, its seed that of all.
  explicit Explorer(Sampling sampling);

  /// Makes the history and looks at all its states. Prints those that are wrong to stderr, a few of each
  /// plan. Returns how many calls it made that can change something.
  std::size_t explore(const Plan& plan);
  /// Looks at one state only, and prints it. False: it is wrong.
  bool replay(const StateId& state);

  const Counts& counts() const noexcept { return counts_; }
  const std::vector<std::unique_ptr<Subject>>& subjects() const noexcept { return subjects_; }

 private:
  History record(const Plan& plan);
  void cut(const Plan& plan, const History& history);
  void look(const StateId& id, const History& history, const CrashState& state);
  const Observation& observed(const StateId& id, const Disk& disk, std::size_t fingerprint);
  std::string judge(const StateId& id, const History& history, const Observation& seen,
                    bool interrupted) const;
  bool can_crash_again(const StateId& id, const History& history) const;
  /// Crashes the first write after the crash.
  std::string crash_again(const StateId& id, const History& history, const CrashState& state);
  std::string judge_again(const StateId& id, const History& history, const Observation& after,
                          const Observation& found, const std::string& written, bool acknowledged,
                          bool interrupted) const;
  void report(const StateId& id, const History& history, const CrashState& state, const std::string& problem);
  std::uint64_t seed_of(const StateId& id) const;
  Subject& subject(const std::string& name) const;

  const Sampling sampling_;
  std::vector<std::unique_ptr<Subject>> subjects_;   // that write
  std::vector<std::unique_ptr<Subject>> observers_;  // that look; one of each
  std::unordered_map<std::size_t, Observation> memory_;
  std::unordered_set<std::size_t> seen_;  // fingerprints of one cut
  std::uint64_t reported_ = 0;            // of one plan
  std::optional<StateId> only_;
  Counts counts_;
};

}  // namespace sessile::crash
