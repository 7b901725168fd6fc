#include "bench/report/charts.hpp"

#include "bench/measurement.hpp"
#include "bench/report/gnuplot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <sstream>

namespace sessile::bench {

namespace {

// Told apart by those who see colours otherwise, and readable on white as on near-black.
constexpr const char* kColours = "#3b82f6 #e0850b #10a37f #d6569b #8b6fe8 #b45309 #0ea5c6 #808a94";
constexpr std::size_t kColourCount = 8;

constexpr const char* kFrame =
    "set border 3 lc rgb \"black\" lw 1\n"
    "set grid ytics lc rgb \"#888888\" lw 0.5 dt 3\n"
    "set tics nomirror\n"
    "set key below spacing 1.2\n";

constexpr const char* kTimeTics =
    "set ytics (\"1 µs\" 1, \"10 µs\" 10, \"100 µs\" 1e2, \"1 ms\" 1e3, \"10 ms\" 1e4, \"100 ms\" 1e5, \"1 "
    "s\" 1e6, "
    "\"10 s\" 1e7, \"100 s\" 1e8)\n";

std::string quoted(std::string_view text) {
  return "\"" + gnuplot_text(text) + "\"";
}

std::string colours() {
  return std::string("colours = \"") + kColours + "\"\ncolour(i) = word(colours, ((i - 1) % " +
         std::to_string(kColourCount) + ") + 1)\n";
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return readable_count(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

/// The lines of one chart, by legend and by place on the x axis, both in the order they came.
class Table {
 public:
  void put(const std::string& label, const std::string& place, const ResultLine& line) {
    remember(labels_, label);
    remember(places_, place);
    cells_[{label, place}] = &line;
  }
  const std::vector<std::string>& labels() const noexcept { return labels_; }
  const std::vector<std::string>& places() const noexcept { return places_; }
  const ResultLine* at(const std::string& label, const std::string& place) const {
    const auto found = cells_.find({label, place});
    return found == cells_.end() ? nullptr : found->second;
  }

  /// A gnuplot data block: a row a place, a column a label.
  template <class Get>
  std::string block(Get get) const {
    std::ostringstream out;
    out << "$data << EOD\n\"\"";
    for (const auto& label : labels_)
      out << ' ' << quoted(label);
    for (const auto& place : places_) {
      out << '\n' << quoted(place);
      for (const auto& label : labels_) {
        const ResultLine* line = at(label, place);
        if (line == nullptr) {
          out << " NaN";
        } else {
          out << ' ' << get(*line);
        }
      }
    }
    out << "\nEOD\n";
    return out.str();
  }

 private:
  static void remember(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<std::string> labels_;
  std::vector<std::string> places_;
  std::map<std::pair<std::string, std::string>, const ResultLine*> cells_;
};

std::string bars(const Table& table, const std::string& data) {
  const std::string columns = std::to_string(table.labels().size() + 1);
  return data +
         "set style data histogram\nset style histogram clustered gap 1\nset style fill solid 0.9 noborder\n"
         "plot for [i=2:" +
         columns + "] $data using i:xtic(1) title columnheader(i) lc rgb colour(i - 1)\n";
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

Chart throughput_chart(const Table& table, const ResultLine& some, const std::string& suffix) {
  Chart chart("throughput" + suffix, "Throughput against processes");
  chart.caption = "All processes together; " + conditions(some) + ".";
  std::ostringstream script;
  script << colours() << kFrame << "set xlabel \"processes\"\nset ylabel \"operations per second\"\n"
         << "set format y \"%'.0f\"\nset yrange [0:*]\nset offsets 0, 0, graph 0.06, 0\nset logscale x "
            "2\nset xtics (";
  const char* separator = "";
  for (const auto& place : table.places()) {
    script << separator << '"' << place << "\" " << place;
    separator = ", ";
  }
  script << ")\n" << table.block([](const ResultLine& line) { return line.ops_per_s; });
  script << "plot for [i=2:" << table.labels().size() + 1
         << "] $data using 1:i with linespoints lw 2.5 pt 6 + i ps 0.9 lc rgb colour(i - 1) title "
            "columnheader(i)\n";
  chart.script = script.str();
  return chart;
}

Chart waits_chart(const Table& table, const std::string& place, const std::string& suffix) {
  Chart chart("waits" + suffix, "How long an operation waits");
  std::ostringstream data;
  std::ostringstream plot;
  const ResultLine* some = nullptr;
  std::size_t number = 0;
  for (const auto& label : table.labels()) {
    ++number;
    const ResultLine* line = table.at(label, place);
    if (line == nullptr) continue;
    some = line;
    data << "$line" << number << " << EOD\n1 " << line->p50_us << "\n2 " << line->p90_us << "\n3 "
         << line->p99_us << "\n4 " << line->p999_us << "\n5 " << line->max_us << "\nEOD\n";
    plot << (plot.str().empty() ? "plot " : ", ") << "$line" << number
         << " using 1:2 with linespoints lw 2.5 pt " << number + 6 << " ps 0.9 lc rgb colour(" << number
         << ") title " << quoted(label);
  }
  chart.caption = "From the call to its end, with " + place + (place == "1" ? " process" : " processes") +
                  "; " + conditions(*some) +
                  ". The longest of all runs at the right; the axis is logarithmic.";
  chart.script = colours() + kFrame + "set logscale y\n" + kTimeTics +
                 "set ylabel \"time, logarithmic\"\nset xrange [0.7:5.3]\n"
                 "set xtics (\"median\" 1, \"90 %\" 2, \"99 %\" 3, \"99.9 %\" 4, \"longest\" 5)\n" +
                 data.str() + plot.str() + "\n";
  return chart;
}

Chart fairness_chart(const Table& table, const ResultLine& some, const std::string& suffix) {
  Chart chart("fairness" + suffix, "Fairness");
  chart.caption =
      "Jain's index over what each writer got done: 1 when all got the same, 1/n when one of n got it "
      "all; " +
      conditions(some) + ".";
  chart.height = 360;
  chart.script = colours() + kFrame +
                 "set yrange [0:1]\nset ytics 0.2\nset ylabel \"Jain's index (1 is equal shares)\"\n"
                 "set xlabel \"processes\"\n" +
                 bars(table, table.block([](const ResultLine& line) { return line.jain; }));
  return chart;
}

Chart timeline_chart(const ResultLine& line, std::size_t number) {
  Chart chart("timeline-" + std::to_string(number), "Who was served when: " + line.label);
  std::vector<TimelineBar> order = line.timeline;
  std::sort(order.begin(), order.end(),
            [](const TimelineBar& a, const TimelineBar& b) { return a.end_us < b.end_us; });
  std::ostringstream waits;
  std::ostringstream holds;
  std::uint64_t writers = 0;
  double before = order.front().start_us;
  for (const auto& bar : order) {
    const double row = static_cast<double>(bar.writer) + 1;
    // Before the one ahead of it had ended, it was waiting.
    const double served = std::max(bar.start_us, before);
    waits << bar.start_us / 1e3 << ' ' << row << ' ' << (bar.end_us - bar.start_us) / 1e3 << '\n';
    holds << served / 1e3 << ' ' << row << ' ' << (bar.end_us - served) / 1e3 << '\n';
    before = bar.end_us;
    writers = std::max(writers, bar.writer + 1);
  }
  chart.caption = "The first " + readable_count(order.size()) +
                  " operations, a row a writer: thin while it waits, "
                  "thick from the end of the operation before it to its own; " +
                  conditions(line) + ".";
  chart.height = static_cast<int>(std::clamp<std::uint64_t>(140 + writers * 22, 220, 900));
  chart.script =
      colours() + kFrame + "$waits << EOD\n" + waits.str() + "EOD\n$holds << EOD\n" + holds.str() +
      "EOD\nset xlabel \"time, ms\"\nset ylabel \"writer\"\nset yrange [0.4:" + std::to_string(writers) +
      ".6]\nset ytics " + std::to_string(std::max<std::uint64_t>(1, writers / 16)) +
      "\nunset grid\nplot $waits using 1:2:3:(0) with vectors nohead lw 1 lc rgb \"#9aa4ae\" title "
      "\"waiting\", $holds using 1:2:3:(0) with vectors nohead lw 8 lc rgb colour(1) title \"being "
      "served\"\n";
  return chart;
}

using GroupKey = std::array<std::uint64_t, 5>;

GroupKey key_of(const ResultLine& line) {
  return {line.writers, line.sessions, line.bytes, line.reads, line.think_us};
}

void add_contention(const std::vector<ResultLine>& lines, std::vector<Chart>& charts) {
  std::vector<GroupKey> groups;
  for (const auto& line : lines) {
    if (line.workload != "contention" && line.workload != "same") continue;
    if (std::find(groups.begin(), groups.end(), key_of(line)) == groups.end()) groups.push_back(key_of(line));
  }
  for (std::size_t number = 0; number < groups.size(); ++number) {
    Table table;
    const ResultLine* some = nullptr;
    std::uint64_t most = 0;
    for (const auto& line : lines) {
      if ((line.workload != "contention" && line.workload != "same") || key_of(line) != groups[number])
        continue;
      table.put(line.label, std::to_string(line.processes), line);
      most = std::max(most, line.processes);
      some = &line;
    }
    const std::string suffix = number == 0 ? "" : "-" + std::to_string(number + 1);
    if (table.places().size() > 1) charts.push_back(throughput_chart(table, *some, suffix));
    charts.push_back(waits_chart(table, std::to_string(most), suffix));
    charts.push_back(fairness_chart(table, *some, suffix));
  }
}

void add_timelines(const std::vector<ResultLine>& lines, std::vector<Chart>& charts) {
  std::size_t number = 0;
  for (const auto& line : lines) {
    if (!line.timeline.empty()) charts.push_back(timeline_chart(line, ++number));
  }
}

void add_workload(const std::vector<ResultLine>& lines, const std::string& workload,
                  std::vector<Chart>& charts) {
  Table table;
  const ResultLine* some = nullptr;
  for (const auto& line : lines) {
    if (line.workload != workload) continue;
    std::string place = plural(line.writers, "writer");
    if (line.processes > 1) place = std::to_string(line.processes) + " processes × " + place;
    place += ", " + readable_count(line.bytes) + " bytes";
    table.put(line.label, place, line);
    some = &line;
  }
  if (some == nullptr) return;
  Chart chart("rate-" + workload, "Operations per second: " + workload);
  chart.caption = "Higher is better; durability " + some->durability + ", " +
                  (some->repeats > 1 ? "medians of " + std::to_string(some->repeats) + " runs." : "one run.");
  chart.script = colours() + kFrame +
                 "set yrange [0:*]\nset format y \"%'.0f\"\nset ylabel \"operations per second\"\n" +
                 bars(table, table.block([](const ResultLine& line) { return line.ops_per_s; }));
  charts.push_back(std::move(chart));
}

}  // namespace

std::vector<Chart> charts_for(const std::vector<ResultLine>& lines) {
  std::vector<Chart> charts;
  add_contention(lines, charts);
  add_timelines(lines, charts);
  for (const std::string workload : {"save", "append", "load", "list_for_agent"}) {
    add_workload(lines, workload, charts);
  }
  return charts;
}

}  // namespace sessile::bench
