// What a lock that nobody else wants costs, beside the bare system calls.
#pragma once

#include "bench/measure/latencies.hpp"

#include <sessile/lock_options.hpp>
#include <sessile/result.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace sessile::bench {

/// One way to take and free a lock, in nanoseconds a time: the medians of rounds.
class LockCost {
 public:
  LockCost() {}
  std::string name;               ///< bare, bare via pool, try_lock, run_locked
  std::vector<double> rounds_ns;  ///< the mean of each round
  double median_ns() const;
};

/// Takes and frees the lock of one sidecar in `directory` `times` in a row each way, `rounds` times in turn:
/// `bare` is open, lock and close on one thread; `bare via pool` the same from a coroutine through the pool;
/// `try_lock` the lock as the store's file primitives take it, on one thread; `run_locked` as an operation of
/// a store takes it: from a coroutine, with its queue, on the pool, with nothing done meanwhile.
Result<std::vector<LockCost>> measure_lock_costs(const std::filesystem::path& directory,
                                                 LockPrimitive primitive, std::size_t times,
                                                 std::size_t rounds);

}  // namespace sessile::bench
