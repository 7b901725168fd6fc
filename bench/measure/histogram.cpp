#include "bench/measure/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace sessile::bench {

void Histogram::add(const SharedHistogram& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::uint64_t n = other.counts_[i].load(std::memory_order_relaxed);
    counts_[i] += n;
    count_ += n;
  }
  max_ = std::max(max_, other.max_.load(std::memory_order_relaxed));
}

double Histogram::mean_us() const noexcept {
  if (count_ == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    sum += static_cast<double>(counts_[i]) * Buckets::middle_of(i);
  }
  return sum / static_cast<double>(count_) / 1e3;
}

double Histogram::quantile_us(double share) const noexcept {
  if (count_ == 0) return 0;
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    // A bucket's middle may lie above the longest value that is in it.
    if (seen >= wanted) return std::min(Buckets::middle_of(i), static_cast<double>(max_)) / 1e3;
  }
  return max_us();
}

}  // namespace sessile::bench
