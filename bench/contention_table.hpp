// A grid of contention: its figures, and what they are to those of a single process and of the rivals.
#pragma once

#include "bench/series.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace sessile::bench {

/// The throughput of `measurement` divided by that of others in the same series: "one_process", which is the
/// same with one process, and each engine that is not Sessile in the same place of the grid, by name. Those
/// not measured are left out.
json::object ratios_of(const Measurement& measurement, const std::vector<Measurement>& series);

/// A table for people; - where a figure is not known.
std::string contention_table(const std::vector<Measurement>& series);

/// Prints JSON lines, each with its `ratios`, or the table, and what is missing on stderr. Returns the exit
/// status.
int print_contention(const Series& series, bool as_json);

}  // namespace sessile::bench
