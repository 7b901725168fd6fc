// kill -9 of the process that holds a session's lock: how soon the next one has it, and whether anything is
// torn.
#pragma once

#include "bench/config.hpp"
#include "bench/measure/latencies.hpp"
#include "bench/measure/shared_run.hpp"
#include "bench/progress.hpp"

#include <sessile/store.hpp>

#include <functional>
#include <string>
#include <vector>

namespace sessile::bench {

class Rival;

/// RunConfig::operation of a takeover's run.
inline constexpr const char* kKilledHolding = "holding";  ///< the victim holds the lock and does nothing
inline constexpr const char* kKilledWriting =
    "writing";  ///< the victim, like all others, writes all the time

/// What one round showed.
class TakeoverRound {
 public:
  TakeoverRound() {}
  std::string backend;
  std::string durability;
  std::int64_t next_ns = 0;     ///< holding: from the kill to the next one's having the lock
  std::int64_t all_ns = 0;      ///< holding: from the kill until all who waited were done
  std::uint64_t completed = 0;  ///< operations of the others
  std::uint64_t failed = 0;     ///< of those
  std::string first_failure;
  bool torn = false;  ///< the session that was left is none of those that were written
};

/// One round in processes of its own: the first is the victim, the others wait. Errors: unsupported when the
/// engine keeps nobody out while an `update` is in its mutation; cancelled; what a worker could not do.
Result<TakeoverRound> take_over_once(RunConfig config, Progress& progress, double share);

/// What worker `process` does in such a run.
Result<void> take_part(const SharedRun& run, std::size_t process, SessionStore& store);
Result<void> take_part(const SharedRun& run, std::size_t process, Rival& rival);

/// A configuration measured several times.
class Takeover {
 public:
  Takeover() {}
  explicit Takeover(RunConfig configuration) : config(std::move(configuration)) {}
  RunConfig config;
  std::vector<TakeoverRound> held;     ///< rounds in which the victim held the lock
  std::vector<TakeoverRound> writing;  ///< rounds in which it was writing
  Latencies next() const;
  Latencies all() const;
};

/// The object of one JSON line, in the form of the other workloads: p50_us … are of `next`.
json::object to_json(const Takeover& takeover);
std::string to_table(const std::vector<Takeover>& takeovers);

}  // namespace sessile::bench
