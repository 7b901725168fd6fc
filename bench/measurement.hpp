// What is printed: one configuration, measured once or several times.
#pragma once

#include "bench/measure/outcome.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace sessile::bench {

class Measurement {
 public:
  Measurement() {}
  explicit Measurement(RunConfig configuration) : config(std::move(configuration)) {}
  RunConfig config;
  std::vector<Outcome> runs;

  Outcome median() const { return median_of(runs); }
  /// What tells it from the others in one table: backend, lock, waiting strategy.
  std::string label() const;
};

/// The object of one JSON line. May gain members, never loses one. Precondition: there was a run.
json::object to_json(const Measurement& measurement);

/// Puts p50_us … max_us and mean_us into `object`; an object of those, with their count.
void put_latencies(json::object& object, const Latencies& latencies);
json::object latencies_object(const Latencies& latencies);
/// The directory that the store is kept in; empty when it is in none.
std::string directory_shown(const RunConfig& config);

/// A table of measurements of one or several workloads, for people.
std::string to_table(const std::vector<Measurement>& measurements);

/// Right-aligned columns (the first one left-aligned), two spaces between them.
std::string align(const std::vector<std::vector<std::string>>& rows);

/// 12,345 or 1.23 for small ones.
std::string readable(double number);
/// 12,345
std::string readable_count(std::uint64_t number);
/// A time with a unit: 97 µs, 1.53 ms, 2.4 s.
std::string readable_us(double microseconds);

}  // namespace sessile::bench
