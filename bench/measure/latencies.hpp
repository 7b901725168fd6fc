// What is told of many times: their percentiles, in microseconds.
#pragma once

#include "bench/measure/histogram.hpp"

#include <cstdint>
#include <vector>

namespace sessile::bench {

/// Percentiles of one kind of time, in microseconds; all 0 when there was none.
class Latencies {
 public:
  Latencies() {}
  explicit Latencies(const Histogram& histogram);
  /// Of these, in nanoseconds, exactly: a percentile is the smallest value that its share does not exceed.
  explicit Latencies(std::vector<std::int64_t> nanoseconds);

  std::uint64_t count = 0;
  double mean_us = 0;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
};

}  // namespace sessile::bench
