// What all charts have in common: colours, frame, and the words for conditions.
#pragma once

#include "bench/report/results.hpp"

#include <string>
#include <string_view>

namespace sessile::bench {

/// gnuplot: colour(i) and point(i) for i from 1.
std::string colours();
/// gnuplot: axes, grid and key.
std::string frame();
/// gnuplot: powers of ten of microseconds, with their units, on the y axis.
std::string time_tics();
/// `text` as a string of gnuplot's.
std::string quoted(std::string_view text);
/// "1 session", "2,000 sessions".
std::string plural(std::uint64_t count, std::string_view noun);
/// What was measured, in words: all but label and processes.
std::string conditions(const ResultLine& line);

}  // namespace sessile::bench
