#include "bench/report/charts.hpp"

#include "bench/measurement.hpp"
#include "bench/report/chart_parts.hpp"
#include "bench/report/gnuplot.hpp"
#include "bench/report/timelines.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <tuple>

namespace sessile::bench {

namespace {

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

/// The largest or smallest number of processes.
double most_or_least(const Table& table, bool most) {
  double found = std::stod(table.places().front());
  for (const auto& place : table.places()) {
    found = most ? std::max(found, std::stod(place)) : std::min(found, std::stod(place));
  }
  return found;
}

Chart throughput_chart(const Table& table, const ResultLine& some, const std::string& suffix) {
  Chart chart("throughput" + suffix, "Throughput against processes");
  chart.caption = "All processes together; " + conditions(some) + ".";
  std::ostringstream script;
  script << colours() << frame() << "set xlabel \"processes\"\nset ylabel \"operations per second\"\n"
         << "set format y \"%.0f\"\nset yrange [0:*]\nset offsets 0, 0, graph 0.06, 0\nset logscale x 2\n"
         << "set xrange [" << 0.87 * most_or_least(table, false) << ':' << 1.15 * most_or_least(table, true)
         << "]\nset xtics (";
  const char* separator = "";
  for (const auto& place : table.places()) {
    script << separator << '"' << place << "\" " << place;
    separator = ", ";
  }
  script << ")\n" << table.block([](const ResultLine& line) { return line.ops_per_s; });
  script << "plot for [i=2:" << table.labels().size() + 1
         << "] $data using (real(strcol(1))):i with linespoints lw 2.5 pt point(i - 1) ps 0.9 lc rgb "
            "colour(i - 1) "
            "title "
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
         << " using 1:2 with linespoints lw 2.5 pt point(" << number << ") ps 0.9 lc rgb colour(" << number
         << ") title " << quoted(label);
  }
  chart.caption = "From the call to its end, with " + place + (place == "1" ? " process" : " processes") +
                  "; " + conditions(*some) +
                  ". The longest of all runs at the right; the axis is logarithmic.";
  chart.script = colours() + frame() + "set logscale y\n" + time_tics() +
                 "set ylabel \"time, logarithmic\"\nset xrange [0.7:5.3]\n"
                 "set xtics (\"median\" 1, \"90 %%\" 2, \"99 %%\" 3, \"99.9 %%\" 4, \"longest\" 5)\n" +
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
  chart.script = colours() + frame() +
                 "set yrange [0:1]\nset ytics 0.2\nset ylabel \"Jain's index (1 is equal shares)\"\n"
                 "set xlabel \"processes\"\n" +
                 bars(table, table.block([](const ResultLine& line) { return line.jain; }));
  return chart;
}

/// A number for a bar, of those lines that know it.
std::string number_or_nothing(std::optional<double> value) {
  return value ? std::to_string(*value) : "NaN";
}

Chart wasted_chart(const Table& table, const ResultLine& some, const std::string& suffix) {
  Chart chart("wasted" + suffix, "Time wasted with the lock free");
  chart.caption = "The share of the time in which nobody had the lock though somebody waited for it; " +
                  conditions(some) + ".";
  chart.height = 360;
  chart.script =
      colours() + frame() +
      "set yrange [0:*]\nset format y \"%.0f %%\"\nset ylabel \"share of the time\"\n"
      "set xlabel \"processes\"\n" +
      bars(table, table.block([](const ResultLine& line) {
        return number_or_nothing(line.wasted_share ? std::optional(*line.wasted_share * 100) : std::nullopt);
      }));
  return chart;
}

using GroupKey =
    std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::string>;

GroupKey key_of(const ResultLine& line) {
  return {line.writers, line.sessions, line.bytes, line.reads, line.think_us, line.operation};
}

bool wasted_is_known(const Table& table) {
  for (const auto& label : table.labels()) {
    for (const auto& place : table.places()) {
      const ResultLine* line = table.at(label, place);
      if (line != nullptr && line->wasted_share) return true;
    }
  }
  return false;
}

/// How soon the next one has the lock of a process that was killed: a row an engine, median and longest.
void add_takeover(const std::vector<ResultLine>& lines, std::vector<Chart>& charts) {
  std::ostringstream data;
  const ResultLine* some = nullptr;
  std::uint64_t rows = 0;
  double longest_us = 0;
  for (const auto& line : lines) {
    if (line.workload != "takeover") continue;
    some = &line;
    ++rows;
    longest_us = std::max(longest_us, line.max_us);
    data << quoted(line.label + ", " + readable_count(line.processes) + " processes") << ' '
         << line.p50_us / 1e3 << ' ' << line.max_us / 1e3 << ' ' << rows << '\n';
  }
  if (some == nullptr) return;
  Chart chart("takeover", "The holder is killed: how soon the next one has the lock");
  chart.caption =
      "From kill -9 of a process that holds the lock until another one has it and has read the "
      "session of " +
      readable_count(some->bytes) + " bytes, durability " + some->durability + ": median and longest of " +
      std::to_string(some->repeats) + " kills.";
  chart.height = static_cast<int>(130 + rows * 34);
  chart.script =
      colours() + frame() + "$data << EOD\n" + data.str() +
      "EOD\nset xlabel \"time, ms\"\nunset ylabel\nset xrange [0:" + std::to_string(longest_us / 1e3 * 1.08) +
      "]\nset yrange [" + std::to_string(rows) +
      ".6:0.4]\nunset grid\nset grid xtics lc rgb \"#888888\" lw 0.5 dt 3\n"
      "plot $data using 2:4:(0):(0):ytic(1) with vectors nohead notitle, "
      "$data using 2:4:($3-$2):(0) with vectors nohead lw 2 lc rgb \"#9aa4ae\" notitle, "
      "$data using 2:4 with points pt 7 ps 1.1 lc rgb colour(1) title \"median\", "
      "$data using 3:4 with points pt 9 ps 1.1 lc rgb colour(2) title \"longest\"\n";
  charts.push_back(std::move(chart));
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
    if (wasted_is_known(table)) charts.push_back(wasted_chart(table, *some, suffix));
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
  chart.script = colours() + frame() +
                 "set yrange [0:*]\nset format y \"%.0f\"\nset ylabel \"operations per second\"\n" +
                 bars(table, table.block([](const ResultLine& line) { return line.ops_per_s; }));
  charts.push_back(std::move(chart));
}

}  // namespace

std::vector<Chart> charts_for(const std::vector<ResultLine>& lines) {
  std::vector<Chart> charts;
  add_contention(lines, charts);
  add_timelines(lines, charts);
  add_takeover(lines, charts);
  for (const std::string workload : {"save", "append", "load", "list_for_agent"}) {
    add_workload(lines, workload, charts);
  }
  return charts;
}

}  // namespace sessile::bench
