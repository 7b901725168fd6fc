// When a log is compacted, and where.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <algorithm>
#include <cstdint>

namespace sessile::json_directory {

/// Tests make the sizes smaller.
class CompactionSettings {
 public:
  CompactionSettings() {}
  /// A log up to this size is not worth being replaced by one snapshot.
  std::uint64_t small_log_bytes = std::uint64_t{512} << 10;
  /// The log of a session up to this size is replaced by the write that finds it due, that of a larger one
  /// beside the writers.
  std::uint64_t small_session_bytes = std::uint64_t{1} << 20;
  /// Where that is done; empty: on the process-wide pool. Never what the store's caller runs on.
  boost::asio::any_io_executor executor;

  /// A log is due when it would be larger than this. So in the long run a rewrite of n bytes follows on at
  /// least 2 n bytes of records.
  std::uint64_t bound(std::uint64_t live_bytes) const noexcept {
    constexpr std::uint64_t kLogToLiveRatio = 3;
    return std::max(small_log_bytes, kLogToLiveRatio * live_bytes);
  }
};

}  // namespace sessile::json_directory
