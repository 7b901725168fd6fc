// Who had the lock when.
#pragma once

#include "bench/report/charts.hpp"

#include <vector>

namespace sessile::bench {

/// Adds a chart for each line with a timeline: of the lock's holders, a row a process, where they are known
/// and there are several processes; else of the operations, a row a writer.
void add_timelines(const std::vector<ResultLine>& lines, std::vector<Chart>& charts);

}  // namespace sessile::bench
