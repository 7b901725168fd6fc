// Latencies counted in logarithmic buckets, so that a run of any length fits in shared memory.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sessile::bench {

/// The buckets: 0 to 255 ns one each, then 128 to each power of two, so that a bucket's middle is within
/// 0.4 % of all that was counted in it. The last one is at 2^43 ns, above two hours.
class Buckets {
 public:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kMaxBits = 43;
  static constexpr std::size_t kCount = ((kMaxBits - kSubBits) << kSubBits) + (1U << kSubBits);

  static constexpr std::size_t index_of(std::uint64_t nanoseconds) noexcept {
    constexpr std::uint64_t kLargest = (std::uint64_t{1} << kMaxBits) - 1;
    if (nanoseconds > kLargest) nanoseconds = kLargest;
    if (nanoseconds < (1U << kSubBits)) return static_cast<std::size_t>(nanoseconds);
    const unsigned shift = static_cast<unsigned>(std::bit_width(nanoseconds)) - kSubBits - 1;
    return (static_cast<std::size_t>(shift) << kSubBits) + static_cast<std::size_t>(nanoseconds >> shift);
  }

  /// The middle of a bucket, in nanoseconds.
  static constexpr double middle_of(std::size_t index) noexcept {
    constexpr std::size_t kWhole = std::size_t{2} << kSubBits;
    if (index < kWhole) return static_cast<double>(index);
    const std::size_t shift = (index >> kSubBits) - 1;
    const std::size_t mantissa = index - (shift << kSubBits);
    const double width = static_cast<double>(std::uint64_t{1} << shift);
    return (static_cast<double>(mantissa) + 0.5) * width;
  }
};

/// One writer's latencies. Lives in zeroed shared memory; one thread at a time adds, any process reads.
class SharedHistogram {
 public:
  void add(std::uint64_t nanoseconds) noexcept {
    bump(counts_[Buckets::index_of(nanoseconds)]);
    if (nanoseconds > max_.load(std::memory_order_relaxed)) {
      max_.store(nanoseconds, std::memory_order_relaxed);
    }
  }

 private:
  friend class Histogram;
  // A load and a store: only one thread adds, so the bus lock of fetch_add would buy nothing.
  static void bump(std::atomic<std::uint64_t>& count) noexcept {
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, Buckets::kCount> counts_;
  std::atomic<std::uint64_t> max_;
};

/// The sum of several writers' latencies.
class Histogram {
 public:
  Histogram() : counts_(Buckets::kCount) {}

  void add(const SharedHistogram& other) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  /// The longest, exactly, in microseconds; 0 when nothing was counted.
  double max_us() const noexcept { return static_cast<double>(max_) / 1e3; }
  double mean_us() const noexcept;
  /// The value that `share` (0 to 1) of the counted ones do not exceed, in microseconds; 0 when there are
  /// none.
  double quantile_us(double share) const noexcept;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace sessile::bench
