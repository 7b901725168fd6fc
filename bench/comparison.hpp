// Sessile's stores beside their rivals, in one table.
#pragma once

#include "bench/series.hpp"

#include <string>
#include <vector>

namespace sessile::bench {

/// For each workload and number of writers a table: medians, and what they are to the best rival's and to the
/// floor's. Every row stays, losses too.
std::string comparison_table(const std::vector<Measurement>& measurements);

}  // namespace sessile::bench
