#include "bench/report/page.hpp"

#include "bench/environment.hpp"
#include "bench/measurement.hpp"
#include "bench/report/gnuplot.hpp"

#include <optional>
#include <set>

namespace sessile::bench {

namespace {

constexpr const char* kHead =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>sessile-bench</title>\n<style>\n"
    ":root{color-scheme:light dark;--text:#24292f;--back:#ffffff;--line:#d0d7de;--bad:#b42318}\n"
    "@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--back:#0d1117;--line:#30363d;--bad:#ff8b7e}}\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:60rem;"
    "margin:2rem auto;padding:0 1rem}\n"
    "figure{margin:2rem 0}figure svg{max-width:100%;height:auto}figcaption{font-size:.9rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-"
    "nums}\n"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\n"
    "th:first-child,td:first-child{text-align:left}.bad{color:var(--bad);font-weight:600}\n"
    "</style>\n</head>\n<body>\n<h1>sessile-bench</h1>\n";

/// gnuplot's prologue would not be allowed inside a page.
std::string_view svg_element(std::string_view svg) {
  const auto begin = svg.find("<svg");
  return begin == std::string_view::npos ? svg : svg.substr(begin);
}

std::string cell(std::string_view text, bool bad = false) {
  return (bad ? "<td class=\"bad\">" : "<td>") + escape_markup(text) + "</td>";
}

std::string cell(std::optional<double> value, std::string (*readable_form)(double)) {
  return cell(value ? readable_form(*value) : "–");
}

std::string percent(double share) {
  return readable(share * 100) + " %";
}

std::string heading(std::string_view title, const std::vector<std::string>& columns) {
  std::string out = "<h2>" + escape_markup(title) + "</h2>\n<div class=\"scroll\"><table>\n<tr>";
  for (const auto& column : columns)
    out += "<th>" + escape_markup(column) + "</th>";
  return out + "</tr>\n";
}

std::string operations_row(const ResultLine& line) {
  return "<tr>" + cell(line.label) + cell(line.workload) + cell(std::to_string(line.processes)) +
         cell(std::to_string(line.writers)) + cell(readable_count(line.sessions)) +
         cell(readable_count(line.bytes)) + cell(readable(line.ops_per_s)) + cell(readable_us(line.p50_us)) +
         cell(readable_us(line.p90_us)) + cell(readable_us(line.p99_us)) + cell(readable_us(line.p999_us)) +
         cell(readable_us(line.max_us)) + cell(line.wait_p999_us, readable_us) +
         cell(line.hold_p50_us, readable_us) + cell(line.wasted_share, percent) + cell(readable(line.jain)) +
         cell(readable_count(line.failed), line.failed > 0) + "</tr>\n";
}

std::string takeover_row(const ResultLine& line) {
  return "<tr>" + cell(line.label) + cell(std::to_string(line.processes)) +
         cell(std::to_string(line.repeats)) + cell(readable_us(line.p50_us)) +
         cell(readable_us(line.p90_us)) + cell(readable_us(line.max_us)) +
         cell(line.all_served_us, readable_us) + cell(readable_count(line.torn), line.torn > 0) +
         cell(readable_count(line.failed), line.failed > 0) + "</tr>\n";
}

std::string lock_row(const ResultLine& line) {
  const auto ratio = [&](const char* name) {
    const auto found = line.ratios.find(name);
    return found == line.ratios.end() ? std::optional<double>() : std::optional<double>(found->second);
  };
  return "<tr>" + cell(line.label) + cell(readable_us(line.mean_us)) + cell(ratio("bare"), readable) +
         cell(ratio("bare_via_pool"), readable) + "</tr>\n";
}

enum class Kind { operations, takeover, lock };

Kind kind_of(const ResultLine& line) {
  if (line.workload == "takeover") return Kind::takeover;
  return line.workload == "lock" ? Kind::lock : Kind::operations;
}

/// Empty when there is no line of that kind.
std::string table_of(const std::vector<ResultLine>& lines, Kind kind, const std::string& head,
                     std::string (*row)(const ResultLine&)) {
  std::string rows;
  for (const auto& line : lines) {
    if (kind_of(line) == kind) rows += row(line);
  }
  return rows.empty() ? rows : head + rows + "</table></div>\n";
}

std::string tables_of(const std::vector<ResultLine>& lines) {
  return table_of(lines, Kind::operations,
                  heading("All figures", {"store", "workload", "processes", "writers", "sessions", "bytes",
                                          "ops/s", "p50", "p90", "p99", "p99.9", "max", "wait p99.9",
                                          "hold p50", "wasted", "Jain", "failed"}),
                  operations_row) +
         table_of(
             lines, Kind::takeover,
             heading("Killed while holding the lock", {"store", "processes", "kills", "next has it, p50",
                                                       "p90", "max", "all served, p50", "torn", "failed"}),
             takeover_row) +
         table_of(lines, Kind::lock,
                  heading("A lock nobody else wants", {"lock", "a time", "× bare", "× bare via pool"}),
                  lock_row);
}

std::string machines_of(const std::vector<ResultLine>& lines) {
  std::set<std::string> machines;
  for (const auto& line : lines) {
    if (line.environment.contains("cpus") && line.environment.contains("versions")) {
      machines.insert(describe_environment(line.environment));
    }
  }
  std::string out = "<h2>Measured on</h2>\n";
  for (const auto& machine : machines)
    out += "<pre>" + escape_markup(machine) + "</pre>\n";
  return out;
}

}  // namespace

std::string page_of(const std::vector<DrawnChart>& charts, const std::vector<ResultLine>& lines) {
  std::string out = kHead;
  for (const auto& drawn : charts) {
    out += "<figure>\n<h2>" + escape_markup(drawn.chart.title) + "</h2>\n";
    out += svg_element(drawn.svg);
    out += "\n<figcaption>" + escape_markup(drawn.chart.caption) + "</figcaption>\n</figure>\n";
  }
  return out + tables_of(lines) + machines_of(lines) + "</body>\n</html>\n";
}

}  // namespace sessile::bench
