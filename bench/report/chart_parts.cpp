#include "bench/report/chart_parts.hpp"

#include "bench/measurement.hpp"
#include "bench/report/gnuplot.hpp"

namespace sessile::bench {

namespace {

// Told apart by those who see colours otherwise, and readable on white as on near-black.
constexpr const char* kColours = "#3b82f6 #e0850b #10a37f #d6569b #8b6fe8 #b45309 #0ea5c6 #808a94";
constexpr std::size_t kColourCount = 8;
// gnuplot's filled shapes first.
constexpr const char* kPoints = "7 9 5 11 13 6 8 4";

}  // namespace

std::string frame() {
  return "set border 3 lc rgb \"black\" lw 1\n"
         "set grid ytics lc rgb \"#888888\" lw 0.5 dt 3\n"
         "set tics nomirror\n"
         "set key below spacing 1.2\n";
}

std::string time_tics() {
  return "set ytics (\"1 µs\" 1, \"10 µs\" 10, \"100 µs\" 1e2, \"1 ms\" 1e3, \"10 ms\" 1e4, \"100 ms\" 1e5, "
         "\"1 "
         "s\" 1e6, "
         "\"10 s\" 1e7, \"100 s\" 1e8)\n";
}

std::string quoted(std::string_view text) {
  return "\"" + gnuplot_text(text) + "\"";
}

std::string colours() {
  return std::string("colours = \"") + kColours + "\"\ncolour(i) = word(colours, ((i - 1) % " +
         std::to_string(kColourCount) + ") + 1)\npoints = \"" + kPoints +
         "\"\npoint(i) = int(word(points, ((i - 1) % " + std::to_string(kColourCount) + ") + 1))\n";
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return readable_count(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string conditions(const ResultLine& line) {
  std::string text = plural(line.sessions, "session") + " of " + readable_count(line.bytes) + " bytes, " +
                     plural(line.writers, "writer") + " a process";
  if (line.reads > 0) text += ", " + std::to_string(line.reads) + " % loads";
  if (line.think_us > 0)
    text += ", " + readable_us(static_cast<double>(line.think_us)) + " between operations";
  if (!line.durability.empty()) text += ", durability " + line.durability;
  text += line.repeats > 1 ? ", medians of " + std::to_string(line.repeats) + " runs" : ", one run";
  return text;
}

}  // namespace sessile::bench
