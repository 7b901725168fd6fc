// Which charts results are worth, and how gnuplot is told to draw them.
#pragma once

#include "bench/report/results.hpp"

#include <string>
#include <vector>

namespace sessile::bench {

/// One picture.
class Chart {
 public:
  Chart() {}
  Chart(std::string file, std::string title_) : file_name(std::move(file)), title(std::move(title_)) {}
  std::string file_name;  ///< without extension
  std::string title;
  std::string caption;  ///< what it shows, and under which conditions
  std::string script;   ///< for gnuplot
  int width = 820;
  int height = 420;
};

/// For each group of lines that differ only in what is measured and in the number of processes: throughput
/// against processes, percentiles of waiting, fairness; a timeline where a line has one. For the other
/// workloads: operations a second. Charts that there is nothing for are left out.
std::vector<Chart> charts_for(const std::vector<ResultLine>& lines);

}  // namespace sessile::bench
