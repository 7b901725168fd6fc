// When a wait ends.
#pragma once

#include <chrono>
#include <optional>

namespace sessile::storage {

/// A point on the monotonic clock; empty: none.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

/// `timeout` from now; none when that is beyond the clock's range.
inline Deadline deadline_after(std::chrono::milliseconds timeout) noexcept {
  using Clock = std::chrono::steady_clock;
  const auto now = Clock::now();
  const auto left = std::chrono::floor<std::chrono::milliseconds>(Clock::time_point::max() - now);
  if (timeout > left) return std::nullopt;
  return now + timeout;
}

}  // namespace sessile::storage
