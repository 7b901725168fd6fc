// What was written, what of it was acknowledged when, and so what a crash may leave.
#pragma once

#include "subject.hpp"

#include <set>
#include <string>
#include <vector>

namespace sessile::crash {

enum class CrashKind { power, process };

/// What may be found of one object.
class Acceptable {
 public:
  std::set<State> states;
  bool damage = false;           ///< what promised less than to survive the power may be damaged by its loss
  std::uint64_t highest_id = 0;  ///< that was given out and must not be again
};

/// A sequence of operations and the trace of their calls.
class History {
 public:
  class Step {
   public:
    std::string operation;
    std::size_t begin = 0;  ///< changes in the trace before its first
    std::size_t end = 0;    ///< and when it was answered
    Effect effect;
    State settled;  ///< what was there after it, when its outcome is not known
  };

  Disk start;
  std::map<std::string, State> initial;
  std::vector<Change> trace;
  std::vector<Step> steps;
  std::size_t calls = 0;  ///< through the seam that can change something

  /// What may be found of `object` when the first `cut` changes of the trace were made.
  Acceptable acceptable(const std::string& object, std::size_t cut, CrashKind kind) const;
  std::string describe(std::size_t cut) const;
};

}  // namespace sessile::crash
