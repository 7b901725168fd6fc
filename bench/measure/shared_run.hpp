// The memory that the benchmark's processes share: how they start together, and where they count.
#pragma once

#include "bench/config.hpp"
#include "bench/measure/histogram.hpp"

#include <sessile/error.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sessile::bench {

/// Nanoseconds on the monotonic clock, which on Linux is one clock for all processes.
inline std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline constexpr std::size_t kErrorKinds = static_cast<std::size_t>(Errc::io) + 1;

/// What one writer counts. One thread at a time writes.
struct alignas(64) WriterSlot {
  std::atomic<std::uint64_t> completed;       ///< succeeded within the window
  std::atomic<std::uint64_t> failed;          ///< from the window's beginning on
  std::atomic<std::uint64_t> failed_warm_up;  ///< before it
  std::atomic<std::int64_t> aside_ns;         ///< spent in the window on what is not the operation
  std::array<std::atomic<std::uint64_t>, kErrorKinds> errors;  ///< failed, by kind
  SharedHistogram writes;
  SharedHistogram reads;
};

/// One operation of the timeline. `end_ns` is written last; 0: not there yet.
struct TimelineEntry {
  std::uint32_t writer;
  std::uint32_t is_read;
  std::int64_t start_ns;
  std::atomic<std::int64_t> end_ns;
};

/// One lock, as Holding. `released` is written last; 0: not there yet.
struct HoldEntry {
  std::uint64_t lock;
  std::uint32_t process;
  std::uint32_t from_mutation;  ///< 1: seen from outside, in update
  std::int64_t requested;
  std::int64_t acquired;
  std::atomic<std::int64_t> released;
};

/// The beginning of the shared memory. All of it starts as zeros.
struct RunHeader {
  std::uint64_t magic;  ///< tells a worker of another build
  std::atomic<std::uint32_t> attached;
  std::atomic<std::uint32_t> prepared;  ///< 1 when the first worker has stored what the others need
  std::atomic<std::uint32_t> ready;
  std::atomic<std::uint32_t> finished;
  std::atomic<std::uint32_t> stop;          ///< 1: end as soon as the running operations have
  std::atomic<std::int64_t> measure_from;   ///< now_ns(); 0: not started
  std::atomic<std::int64_t> measure_until;  ///< now_ns()
  std::atomic<std::uint64_t> timeline_used;
  std::atomic<std::uint64_t> holds_used;
  std::atomic<std::uint32_t> mutations_repeated;  ///< how often a mutation ran a second time in one update
  std::atomic<std::uint32_t> failure_state;       ///< 0 none, 1 being written, 2 written
  std::array<char, 1024> failure;
  std::array<char, 64> backend;
  std::array<char, 16> durability;
  std::uint64_t config_bytes;
  std::array<char, 16384> config;
};

/// One mapping of the shared memory of one run.
///
/// The parent creates it under a unique name, and removes the name once every worker has attached: what stays
/// is freed by the kernel with the last process, whichever way it ends. Errors are thrown as
/// boost::interprocess::interprocess_exception.
class SharedRun {
 public:
  /// Creates it, 0600, and puts `config` into it.
  static SharedRun create(const RunConfig& config);
  /// Maps the one of that name. Throws std::runtime_error when it is another build's.
  static SharedRun attach(const std::string& name);

  SharedRun(SharedRun&& other) noexcept;
  SharedRun& operator=(SharedRun&&) = delete;
  ~SharedRun();

  const std::string& name() const noexcept { return name_; }
  void remove_name() noexcept;

  RunHeader& header() const noexcept { return *static_cast<RunHeader*>(region_.get_address()); }
  const RunConfig& config() const noexcept { return config_; }
  /// `writer` counts through all processes.
  WriterSlot& slot(std::size_t writer) const noexcept;
  TimelineEntry& timeline(std::size_t index) const noexcept;
  HoldEntry& hold(std::size_t index) const noexcept;

  /// Keeps the text of the first failure, for people.
  void report_failure(std::string_view text) const noexcept;
  std::string failure() const;

 private:
  SharedRun() {}

  std::string name_;
  bool owns_name_ = false;
  RunConfig config_;
  boost::interprocess::mapped_region region_;
};

}  // namespace sessile::bench
