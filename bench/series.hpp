// Several configurations measured in turn, so that what the machine does meanwhile meets all of them.
#pragma once

#include "bench/measurement.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sessile::bench {

class Series {
 public:
  std::vector<Measurement> measured;      ///< those with at least one run, in the order given
  std::vector<std::string> not_measured;  ///< what failed to run, and why
  bool interrupted = false;
};

/// Measures each configuration `rounds` times: one round is one run of each. Shows its progress. One that
/// cannot run is told and left out of the later rounds; an interruption ends the series.
Series measure(std::vector<RunConfig> configurations, std::size_t rounds);

/// Prints what was left out on stderr. The exit status for it: 0 when all was measured, else 1.
int report_gaps(const Series& series);

}  // namespace sessile::bench
