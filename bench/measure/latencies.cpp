#include "bench/measure/latencies.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sessile::bench {

namespace {

double quantile_us(const std::vector<std::int64_t>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(1, rank) - 1]) / 1e3;
}

}  // namespace

Latencies::Latencies(const Histogram& histogram)
    : count(histogram.count()),
      mean_us(histogram.mean_us()),
      p50_us(histogram.quantile_us(0.5)),
      p90_us(histogram.quantile_us(0.9)),
      p99_us(histogram.quantile_us(0.99)),
      p999_us(histogram.quantile_us(0.999)),
      max_us(histogram.max_us()) {}

Latencies::Latencies(std::vector<std::int64_t> nanoseconds) : count(nanoseconds.size()) {
  if (nanoseconds.empty()) return;
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const double sum = std::accumulate(nanoseconds.begin(), nanoseconds.end(), 0.0);
  mean_us = sum / static_cast<double>(nanoseconds.size()) / 1e3;
  p50_us = quantile_us(nanoseconds, 0.5);
  p90_us = quantile_us(nanoseconds, 0.9);
  p99_us = quantile_us(nanoseconds, 0.99);
  p999_us = quantile_us(nanoseconds, 0.999);
  max_us = quantile_us(nanoseconds, 1);
}

}  // namespace sessile::bench
