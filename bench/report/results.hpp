// The JSON lines that runs left, read back for drawing.
#pragma once

#include <sessile/result.hpp>

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sessile::bench {

/// One served operation of a timeline.
class TimelineBar {
 public:
  TimelineBar() {}
  std::uint64_t writer = 0;
  double start_us = 0;
  double end_us = 0;
  bool is_read = false;
};

/// One lock of a timeline; without times it was not had before the end of it.
class HolderBar {
 public:
  HolderBar() {}
  std::uint64_t process = 0;
  double requested_us = 0;
  std::optional<double> acquired_us;
  std::optional<double> released_us;
};

/// One line, with what charts need taken out of it.
class ResultLine {
 public:
  ResultLine() {}
  std::string label;  ///< what a legend says: backend, lock, waiting strategy
  std::string workload;
  std::string durability;
  std::uint64_t processes = 1;
  std::uint64_t writers = 1;
  std::uint64_t sessions = 1;
  std::uint64_t bytes = 0;
  std::uint64_t reads = 0;
  std::uint64_t think_us = 0;
  std::uint64_t failed = 0;
  std::uint64_t repeats = 1;
  double seconds = 0;
  double ops_per_s = 0;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  double jain = 0;
  double mean_us = 0;
  std::string operation;
  std::uint64_t torn = 0;               ///< takeover
  std::optional<double> all_served_us;  ///< takeover: the median
  std::optional<double> wait_p999_us;   ///< of the lock; these are empty where nothing is known of it
  std::optional<double> hold_p50_us;
  std::optional<double> wasted_share;
  std::map<std::string, double> ratios;  ///< the throughput, or of a lock the time, to others'
  std::vector<TimelineBar> timeline;
  std::vector<HolderBar> holders;
  boost::json::object environment;
};

/// Reads files of JSON lines; blank lines are skipped. Errors: not_found; corrupt, naming file and line, for
/// what is not a result.
Result<std::vector<ResultLine>> read_results(const std::vector<std::string>& files);

}  // namespace sessile::bench
