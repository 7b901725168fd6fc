// The page that holds all charts and figures, in one file that needs no other.
#pragma once

#include "bench/report/charts.hpp"

#include <string>
#include <vector>

namespace sessile::bench {

/// A chart and its drawing.
class DrawnChart {
 public:
  DrawnChart() {}
  Chart chart;
  std::string svg;
};

std::string page_of(const std::vector<DrawnChart>& charts, const std::vector<ResultLine>& lines);

}  // namespace sessile::bench
