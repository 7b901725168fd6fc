// What one run measured.
#pragma once

#include "bench/config.hpp"
#include "bench/measure/histogram.hpp"
#include "bench/measure/shared_run.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sessile::bench {

/// Percentiles of one kind of operation, in microseconds; all 0 when there was none.
class Latencies {
 public:
  Latencies() {}
  explicit Latencies(const Histogram& histogram);

  std::uint64_t count = 0;
  double mean_us = 0;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
};

/// One finished operation of a timeline, in microseconds from the beginning of the window.
class TimelinePoint {
 public:
  TimelinePoint() {}
  std::uint32_t writer = 0;
  bool is_read = false;
  double start_us = 0;
  double end_us = 0;
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
  std::vector<TimelinePoint> timeline;
};

/// Jain's fairness index of the shares; 1 when there are none, or nobody got any.
double jain_index(const std::vector<double>& shares) noexcept;

/// Reads the counters of a run that has ended. `ended_ns` is now_ns() at its end, when that was early.
Outcome read_outcome(const SharedRun& run, std::int64_t ended_ns);

/// The outcome of several runs of one configuration: medians of rates, percentiles and fairness; the longest
/// of the longest; the sum of the failures. Precondition: not empty.
Outcome median_of(const std::vector<Outcome>& runs);

}  // namespace sessile::bench
