// What the times at which locks were asked for, had and freed say about a lock.
#pragma once

#include "bench/measure/latencies.hpp"

#include <cstdint>
#include <vector>

namespace sessile::bench {

/// One lock that was asked for, and had and freed or given up. Nanoseconds of now_ns().
class Holding {
 public:
  Holding() {}
  Holding(std::uint64_t lock_, std::int64_t requested_, std::int64_t acquired_, std::int64_t released_)
      : lock(lock_), requested(requested_), acquired(acquired_), released(released_) {}
  bool had() const noexcept { return acquired != 0; }
  /// When the waiting ended.
  std::int64_t waited_until() const noexcept { return had() ? acquired : released; }

  std::uint64_t lock = 0;
  std::uint32_t process = 0;
  std::int64_t requested = 0;
  std::int64_t acquired = 0;  ///< 0: it was given up
  std::int64_t released = 0;
};

class LockFigures {
 public:
  LockFigures() {}
  std::uint64_t locks = 0;        ///< how many different ones
  Latencies wait;                 ///< from the request to having it, or giving up
  Latencies hold;                 ///< from having it to freeing it
  Latencies handover;             ///< from its release to the next one's having it, where somebody waited
  double wasted_us = 0;           ///< within the window, over all locks: free, though somebody waited
  double wasted_share = 0;        ///< of the window, the mean over the locks
  double held_share = 0;          ///< of the window, the mean over the locks
  std::uint64_t overtakings = 0;  ///< had it before somebody who had asked earlier
};

/// Figures of the window [from, until). `holdings`: all that ended after `from`, in any order, with those
/// that ended after `until`; these count whole in the percentiles, so that a waiter that starves shows. A
/// window that is empty has no shares.
LockFigures lock_figures(std::vector<Holding> holdings, std::int64_t from, std::int64_t until);

}  // namespace sessile::bench
