#include "bench/report/results.hpp"

#include <sessile/json.hpp>

#include <algorithm>
#include <fstream>

namespace sessile::bench {

namespace json = boost::json;

namespace {

Error bad_line(const std::string& file, std::size_t number, std::string_view why) {
  return Error(Errc::corrupt,
               "line " + std::to_string(number) + " is not a result of sessile-bench: " + std::string(why))
      .with_path(file);
}

double number(const json::object& object, std::string_view name, double otherwise) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : otherwise;
}

std::uint64_t count(const json::object& object, std::string_view name, std::uint64_t otherwise) {
  const double value = number(object, name, static_cast<double>(otherwise));
  return value < 0 ? otherwise : static_cast<std::uint64_t>(value);
}

std::string text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::vector<TimelineBar> timeline(const json::object& object) {
  std::vector<TimelineBar> bars;
  const json::value* value = object.if_contains("timeline");
  if (value == nullptr || !value->is_array()) return bars;
  for (const auto& entry : value->as_array()) {
    if (!entry.is_array() || entry.as_array().size() < 3) continue;
    const auto& fields = entry.as_array();
    if (!fields[0].is_number() || !fields[1].is_number() || !fields[2].is_number()) continue;
    TimelineBar bar;
    bar.writer = static_cast<std::uint64_t>(std::max(0.0, fields[0].to_number<double>()));
    bar.start_us = fields[1].to_number<double>();
    bar.end_us = fields[2].to_number<double>();
    bar.is_read = fields.size() > 3 && fields[3] == "read";
    bars.push_back(bar);
  }
  return bars;
}

std::vector<HolderBar> holders(const json::object& object) {
  std::vector<HolderBar> bars;
  const json::value* value = object.if_contains("holders");
  if (value == nullptr || !value->is_array()) return bars;
  for (const auto& entry : value->as_array()) {
    if (!entry.is_array() || entry.as_array().size() < 4) continue;
    const auto& fields = entry.as_array();
    if (!fields[0].is_number() || !fields[1].is_number()) continue;
    HolderBar bar;
    bar.process = static_cast<std::uint64_t>(std::max(0.0, fields[0].to_number<double>()));
    bar.requested_us = fields[1].to_number<double>();
    if (fields[2].is_number() && fields[3].is_number()) {
      bar.acquired_us = fields[2].to_number<double>();
      bar.released_us = fields[3].to_number<double>();
    }
    bars.push_back(bar);
  }
  return bars;
}

/// The number `name` of the object `within`, or of `object` itself when that is empty; empty: not known.
std::optional<double> known(const json::object& object, std::string_view within, std::string_view name) {
  const json::object* place = &object;
  if (!within.empty()) {
    const json::value* value = object.if_contains(within);
    if (value == nullptr || !value->is_object()) return std::nullopt;
    place = &value->as_object();
  }
  const json::value* value = place->if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

std::map<std::string, double> ratios(const json::object& object) {
  std::map<std::string, double> found;
  const json::value* value = object.if_contains("ratios");
  if (value == nullptr || !value->is_object()) return found;
  for (const auto& [name, ratio] : value->as_object()) {
    if (ratio.is_number()) found[std::string(name)] = ratio.to_number<double>();
  }
  return found;
}

ResultLine result_of(const json::object& object) {
  ResultLine line;
  line.workload = text(object, "workload");
  line.label = text(object, "label");
  if (line.label.empty()) line.label = text(object, "engine");
  line.durability = text(object, "durability");
  line.processes = count(object, "processes", 1);
  line.writers = count(object, "writers", 1);
  line.sessions = count(object, "sessions", 1);
  line.bytes = count(object, "bytes", 0);
  line.reads = count(object, "reads", 0);
  line.think_us = count(object, "think_us", 0);
  line.failed = count(object, "failed", 0);
  line.repeats = count(object, "repeats", 1);
  line.seconds = number(object, "seconds", 0);
  line.ops_per_s = number(object, "ops_per_s", 0);
  line.p50_us = number(object, "p50_us", 0);
  line.p90_us = number(object, "p90_us", line.p50_us);
  line.p99_us = number(object, "p99_us", 0);
  line.p999_us = number(object, "p999_us", 0);
  line.max_us = number(object, "max_us", 0);
  line.jain = number(object, "jain", 0);
  line.mean_us = number(object, "mean_us", 0);
  line.operation = text(object, "operation");
  line.torn = count(object, "torn", 0);
  line.all_served_us = known(object, "all_served", "p50_us");
  line.wait_p999_us = known(object, "wait", "p999_us");
  line.hold_p50_us = known(object, "hold", "p50_us");
  line.wasted_share = known(object, "", "wasted_share");
  line.ratios = ratios(object);
  line.timeline = timeline(object);
  line.holders = holders(object);
  if (const json::value* value = object.if_contains("environment"); value != nullptr && value->is_object()) {
    line.environment = value->as_object();
  }
  return line;
}

}  // namespace

Result<std::vector<ResultLine>> read_results(const std::vector<std::string>& files) {
  std::vector<ResultLine> lines;
  for (const auto& file : files) {
    std::ifstream in(file);
    if (!in) return Error(Errc::not_found, "the results cannot be opened").with_path(file);
    std::size_t line_number = 0;
    for (std::string line; std::getline(in, line);) {
      ++line_number;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      auto value = parse_json(line, Origin::stored);
      if (!value) return bad_line(file, line_number, value.error().detail());
      if (!value->is_object()) return bad_line(file, line_number, "no object");
      ResultLine result = result_of(value->as_object());
      if (result.workload.empty() || result.label.empty()) {
        return bad_line(file, line_number, "workload or engine is missing");
      }
      lines.push_back(std::move(result));
    }
  }
  return lines;
}

}  // namespace sessile::bench
