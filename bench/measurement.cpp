#include "bench/measurement.hpp"

#include "bench/environment.hpp"

#include <sessile/ids.hpp>

#include <array>
#include <cmath>
#include <cstdio>

namespace sessile::bench {

namespace {

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

double fraction(double share) {
  return std::round(share * 1e6) / 1e6;
}

std::string_view text_of(LockSource source) {
  return source == LockSource::events ? "events" : "mutations";
}

/// All null when nothing is known of locks; from mutations only what can be seen from outside.
void put_lock(json::object& object, const Outcome& outcome) {
  const bool known = outcome.lock_source != LockSource::none;
  const bool told = outcome.lock_source == LockSource::events;
  const LockFigures& lock = outcome.lock;
  object["locks_from"] = known ? json::value(text_of(outcome.lock_source)) : json::value();
  object["wait"] = known ? json::value(latencies_object(lock.wait)) : json::value();
  object["hold"] = known ? json::value(latencies_object(lock.hold)) : json::value();
  object["handover"] = told ? json::value(latencies_object(lock.handover)) : json::value();
  object["wasted_us"] = told ? json::value(rounded(lock.wasted_us)) : json::value();
  object["wasted_share"] = told ? json::value(fraction(lock.wasted_share)) : json::value();
  object["held_share"] = told ? json::value(fraction(lock.held_share)) : json::value();
  object["overtakings"] = told ? json::value(lock.overtakings) : json::value();
  if (outcome.locks_untold > 0) object["locks_untold"] = outcome.locks_untold;
}

json::array runs_array(const std::vector<Outcome>& runs) {
  json::array array;
  for (const auto& run : runs) {
    json::object object;
    object["ops_per_s"] = rounded(run.ops_per_s);
    put_latencies(object, run.all);
    object["jain"] = rounded(run.jain);
    object["failed"] = run.failed;
    if (run.lock_source == LockSource::events) object["wasted_share"] = fraction(run.lock.wasted_share);
    array.push_back(std::move(object));
  }
  return array;
}

json::array timeline_array(const std::vector<TimelinePoint>& points) {
  json::array array;
  for (const auto& point : points) {
    array.push_back(json::array{point.writer, rounded(point.start_us), rounded(point.end_us),
                                point.is_read ? "read" : "write"});
  }
  return array;
}

json::array holders_array(const std::vector<HoldPoint>& points) {
  json::array array;
  for (const auto& point : points) {
    array.push_back(json::array{point.process, rounded(point.requested_us), rounded(point.acquired_us),
                                rounded(point.released_us)});
  }
  return array;
}

void put_config(json::object& object, const RunConfig& config) {
  object["workload"] = config.workload;
  object["writers"] = config.writers;
  object["processes"] = config.processes;
  object["bytes"] = config.bytes;
  object["sessions"] = config.sessions;
  object["store"] = config.shown_store;
  object["warm_up"] = config.warm_up;
  object["lock"] = config.lock;
  object["waiting"] = config.waiting;
  object["reads"] = config.reads;
  object["think_us"] = config.think_us;
  if (config.workload == "contention") object["operation"] = config.operation;
  if (config.is_rival()) object["drive"] = config.drive;
  if (config.workload == "append") {
    object["base_bytes"] = config.base_bytes;
    object["grow_bytes"] = config.grow_bytes;
  } else if (config.workload == "list_for_agent") {
    object["agent_sessions"] = config.agent_sessions;
  } else if (config.workload != "load") {
    object["change"] = config.change;
  }
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) ++columns;
  }
  return columns;
}

}  // namespace

void put_latencies(json::object& object, const Latencies& latencies) {
  object["p50_us"] = rounded(latencies.p50_us);
  object["p90_us"] = rounded(latencies.p90_us);
  object["p99_us"] = rounded(latencies.p99_us);
  object["p999_us"] = rounded(latencies.p999_us);
  object["max_us"] = rounded(latencies.max_us);
  object["mean_us"] = rounded(latencies.mean_us);
}

json::object latencies_object(const Latencies& latencies) {
  json::object object;
  object["count"] = latencies.count;
  put_latencies(object, latencies);
  return object;
}

std::string directory_shown(const RunConfig& config) {
  if (!is_directory_url(config.store)) return std::string();
  const auto directory = directory_of(config.store);
  return directory ? *directory : std::string();
}

std::string Measurement::label() const {
  std::string text = runs.empty() ? config.engine : runs.front().backend;
  if (!config.lock.empty()) text += " " + config.lock;
  if (!config.waiting.empty()) text += " " + config.waiting;
  if (config.is_rival() && config.drive == "pool") text += " via pool";
  return text;
}

json::object to_json(const Measurement& measurement) {
  const Outcome outcome = measurement.median();
  json::object object;
  object["engine"] = measurement.config.engine;
  object["backend"] = outcome.backend;
  object["label"] = measurement.label();
  put_config(object, measurement.config);
  object["durability"] = outcome.durability;
  object["seconds"] = rounded(outcome.seconds);
  object["repeats"] = measurement.runs.size();
  object["operations"] = outcome.operations;
  object["ops_per_s"] = rounded(outcome.ops_per_s);
  put_latencies(object, outcome.all);
  object["failed"] = outcome.failed;
  object["failed_warm_up"] = outcome.failed_warm_up;
  object["jain"] = rounded(outcome.jain);
  if (measurement.config.holds > 0) put_lock(object, outcome);
  if (!outcome.errors.empty()) {
    json::object errors;
    for (const auto& [kind, count] : outcome.errors)
      errors[kind] = count;
    object["errors"] = std::move(errors);
  }
  if (!outcome.first_failure.empty()) {
    object["first_failure"] = is_utf8(outcome.first_failure) ? outcome.first_failure : "not UTF-8";
  }
  if (outcome.reads.count > 0 && outcome.writes.count > 0) {
    object["write_latency"] = latencies_object(outcome.writes);
    object["read_latency"] = latencies_object(outcome.reads);
  }
  if (measurement.runs.size() > 1) object["runs"] = runs_array(measurement.runs);
  if (!outcome.timeline.empty()) object["timeline"] = timeline_array(outcome.timeline);
  if (!outcome.holders.empty()) object["holders"] = holders_array(outcome.holders);
  object["environment"] = environment(directory_shown(measurement.config));
  return object;
}

std::string readable_count(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string readable(double number) {
  if (number >= 100) return readable_count(static_cast<std::uint64_t>(std::llround(number)));
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.2f", number);
  return text.data();
}

std::string readable_us(double microseconds) {
  std::array<char, 48> text{};
  const auto print = [&](double value, const char* unit) {
    const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
    std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, unit);
    return std::string(text.data());
  };
  if (microseconds < 999.5) return print(microseconds, "µs");
  if (microseconds < 999.5e3) return print(microseconds / 1e3, "ms");
  return print(microseconds / 1e6, "s");
}

std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - columns_of(row[i]), ' ');
      out += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

std::string to_table(const std::vector<Measurement>& measurements) {
  std::vector<std::vector<std::string>> rows = {{"store", "workload", "processes", "writers", "sessions",
                                                 "bytes", "ops/s", "p50", "p90", "p99", "p99.9", "max",
                                                 "Jain", "failed"}};
  for (const auto& measurement : measurements) {
    const Outcome outcome = measurement.median();
    const RunConfig& config = measurement.config;
    std::string workload = config.workload;
    if (config.reads > 0) workload += " " + std::to_string(config.reads) + " % reads";
    rows.push_back({measurement.label(), workload, std::to_string(config.processes),
                    std::to_string(config.writers), readable_count(config.sessions),
                    readable_count(config.bytes), readable(outcome.ops_per_s),
                    readable_us(outcome.all.p50_us), readable_us(outcome.all.p90_us),
                    readable_us(outcome.all.p99_us), readable_us(outcome.all.p999_us),
                    readable_us(outcome.all.max_us), readable(outcome.jain), std::to_string(outcome.failed)});
  }
  return align(rows);
}

}  // namespace sessile::bench
