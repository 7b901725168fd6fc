// What one run measured.
#pragma once

#include "bench/config.hpp"
#include "bench/measure/holdings.hpp"
#include "bench/measure/latencies.hpp"
#include "bench/measure/shared_run.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sessile::bench {

/// One finished operation of a timeline, in microseconds from the beginning of the window.
class TimelinePoint {
 public:
  TimelinePoint() {}
  std::uint32_t writer = 0;
  bool is_read = false;
  double start_us = 0;
  double end_us = 0;
};

/// One lock of a timeline that was had, in microseconds from the beginning of the window.
class HoldPoint {
 public:
  HoldPoint() {}
  std::uint32_t process = 0;
  double requested_us = 0;
  double acquired_us = 0;
  double released_us = 0;
};

/// How the times of locks came to be known.
enum class LockSource {
  none,       ///< they are not
  events,     ///< the store, or the rival, told when it asked for, had and freed each lock
  mutations,  ///< from `update`, seen from outside: a lock is had when the mutation begins, and freed at the
              ///< end
};

class Outcome {
 public:
  Outcome() {}
  std::string backend;     ///< the engine's own name for itself
  std::string durability;  ///< what its acknowledged writes survive
  double seconds = 0;      ///< the measured window, as it was
  std::uint64_t operations = 0;
  double ops_per_s = 0;
  Latencies all;
  Latencies writes;
  Latencies reads;
  double jain = 0;  ///< Jain's index over what each writer of all processes completed: 1 is equal shares
  std::uint64_t failed = 0;
  std::uint64_t failed_warm_up = 0;
  std::map<std::string, std::uint64_t> errors;  ///< failed, by kind
  std::string first_failure;
  LockSource lock_source = LockSource::none;
  LockFigures lock;                ///< where lock_source is not none
  std::uint64_t locks_untold = 0;  ///< locks that found no room any more, and are not in these figures
  std::vector<TimelinePoint> timeline;
  std::vector<HoldPoint> holders;  ///< who held the lock, where the store tells
};

/// Jain's fairness index of the shares; 1 when there are none, or nobody got any.
double jain_index(const std::vector<double>& shares) noexcept;

/// Reads the counters of a run that has ended. `ended_ns` is now_ns() at its end, when that was early.
Outcome read_outcome(const SharedRun& run, std::int64_t ended_ns);

/// The outcome of several runs of one configuration: medians of rates, percentiles and fairness; the longest
/// of the longest; the sum of the failures. Precondition: not empty.
Outcome median_of(const std::vector<Outcome>& runs);

}  // namespace sessile::bench
