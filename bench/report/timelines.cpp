#include "bench/report/timelines.hpp"

#include "bench/measurement.hpp"
#include "bench/report/chart_parts.hpp"

#include <algorithm>
#include <sstream>

namespace sessile::bench {

namespace {

/// Thin lines for waits, thick ones for what came of them. Both blocks: start, row, length, in ms.
std::string rows_script(const std::string& waits, const std::string& holds, double end_us, std::uint64_t rows,
                        const std::string& row_name, const std::string& hold_name) {
  return colours() + frame() + "$waits << EOD\n" + waits + "EOD\n$holds << EOD\n" + holds +
         "EOD\nset xrange [0:" + std::to_string(end_us / 1e3) + "]\nset xlabel \"time, ms\"\nset ylabel \"" +
         row_name + "\"\nset yrange [0.4:" + std::to_string(rows) + ".6]\nset ytics " +
         std::to_string(std::max<std::uint64_t>(1, rows / 16)) +
         "\nunset grid\nplot $waits using 1:2:3:(0) with vectors nohead lw 1.5 lc rgb \"#9aa4ae\" title "
         "\"waiting\", $holds using 1:2:3:(0) with vectors nohead lw 10 lc rgb colour(1) title \"" +
         hold_name + "\"\n";
}

int height_for(std::uint64_t rows) {
  return static_cast<int>(std::clamp<std::uint64_t>(140 + rows * 22, 220, 900));
}

Chart served_chart(const ResultLine& line, const std::string& name) {
  Chart chart(name, "Who was served when: " + line.label);
  std::vector<TimelineBar> order = line.timeline;
  std::sort(order.begin(), order.end(),
            [](const TimelineBar& a, const TimelineBar& b) { return a.end_us < b.end_us; });
  std::ostringstream waits;
  std::ostringstream holds;
  std::uint64_t writers = 0;
  double before = 0;
  for (const auto& bar : order) {
    const double row = static_cast<double>(bar.writer) + 1;
    // Before the one ahead of it had ended, it was waiting.
    const double served = std::max(bar.start_us, before);
    const double asked = std::max(0.0, bar.start_us);
    waits << asked / 1e3 << ' ' << row << ' ' << (bar.end_us - asked) / 1e3 << '\n';
    holds << served / 1e3 << ' ' << row << ' ' << (bar.end_us - served) / 1e3 << '\n';
    before = bar.end_us;
    writers = std::max(writers, bar.writer + 1);
  }
  chart.caption = "The first " + readable_count(order.size()) +
                  " operations, a row a writer: thin while it waits, "
                  "thick from the end of the operation before it to its own; " +
                  conditions(line) + ".";
  chart.height = height_for(writers);
  chart.script = rows_script(waits.str(), holds.str(), before, writers, "writer", "being served");
  return chart;
}

Chart holders_chart(const ResultLine& line, const std::string& name) {
  Chart chart(name, "Who held the lock when: " + line.label);
  std::ostringstream waits;
  std::ostringstream holds;
  std::uint64_t processes = line.processes;
  std::size_t had = 0;
  double end = 0;
  for (const auto& bar : line.holders)
    end = std::max(end, bar.released_us.value_or(0));
  for (const auto& bar : line.holders) {
    const double row = static_cast<double>(bar.process) + 1;
    const double asked = std::max(0.0, bar.requested_us);
    const double waited_until = std::max(asked, bar.acquired_us.value_or(end));
    waits << asked / 1e3 << ' ' << row << ' ' << (waited_until - asked) / 1e3 << '\n';
    processes = std::max(processes, bar.process + 1);
    if (!bar.released_us) continue;
    ++had;
    holds << waited_until / 1e3 << ' ' << row << ' ' << (*bar.released_us - waited_until) / 1e3 << '\n';
  }
  chart.caption =
      "The first " + readable_count(had) +
      " times somebody had the lock, a row a process: thin while it waits for the lock, thick while it "
      "has it; " +
      conditions(line) + ".";
  chart.height = height_for(processes);
  chart.script = rows_script(waits.str(), holds.str(), end, processes, "process", "holding the lock");
  return chart;
}

}  // namespace

void add_timelines(const std::vector<ResultLine>& lines, std::vector<Chart>& charts) {
  std::size_t number = 0;
  for (const auto& line : lines) {
    if (line.timeline.empty() && line.holders.empty()) continue;
    const std::string name = "timeline-" + std::to_string(++number);
    const bool of_holders = !line.holders.empty() && (line.processes > 1 || line.timeline.empty());
    charts.push_back(of_holders ? holders_chart(line, name) : served_chart(line, name));
  }
}

}  // namespace sessile::bench
