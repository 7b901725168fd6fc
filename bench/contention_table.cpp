#include "bench/contention_table.hpp"

#include "bench/environment.hpp"

#include <sessile/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sessile::bench {

namespace {

/// What two measurements have in common that differ only in the number of processes, or in the engine.
bool same_place(const RunConfig& a, const RunConfig& b) {
  return a.writers == b.writers && a.sessions == b.sessions && a.bytes == b.bytes && a.reads == b.reads &&
         a.think_us == b.think_us && a.change == b.change && a.operation == b.operation;
}

bool same_engine(const RunConfig& a, const RunConfig& b) {
  return a.engine == b.engine && a.shown_store == b.shown_store && a.drive == b.drive;
}

double ratio(const Measurement& measurement, const Measurement& reference) {
  return measurement.median().ops_per_s / reference.median().ops_per_s;
}

std::string percent(double share) {
  return readable(share * 100) + " %";
}

std::vector<std::string> references(const std::vector<Measurement>& series) {
  std::vector<std::string> names;
  for (const auto& measurement : series) {
    const json::object ratios = ratios_of(measurement, series);
    for (const auto& [name, value] : ratios) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
    }
  }
  return names;
}

std::string heading(const std::string& reference) {
  return "× " + (reference == "one_process" ? "1 process" : reference);
}

/// True when the axis has more than one value, so that it is worth a column.
template <class Get>
bool varies(const std::vector<Measurement>& series, Get get) {
  return std::any_of(series.begin(), series.end(), [&](const Measurement& measurement) {
    return get(measurement.config) != get(series.front().config);
  });
}

class Columns {
 public:
  explicit Columns(const std::vector<Measurement>& series)
      : series_(series), references_(references(series)) {
    const auto axis = [&](const char* name, std::uint64_t RunConfig::*field) {
      if (varies(series, [field](const RunConfig& config) { return config.*field; })) {
        axes_.emplace_back(name, field);
      }
    };
    axis("sessions", &RunConfig::sessions);
    axis("bytes", &RunConfig::bytes);
    axis("% reads", &RunConfig::reads);
    axis("think µs", &RunConfig::think_us);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> row = {"store", "processes", "writers"};
    for (const auto& [name, field] : axes_)
      row.emplace_back(name);
    row.emplace_back("ops/s");
    for (const auto& reference : references_)
      row.push_back(heading(reference));
    for (const char* name : {"p50", "p90", "p99", "p99.9", "max", "wait p50", "wait p99.9", "hold p50",
                             "handover p50", "wasted", "Jain", "failed"}) {
      row.emplace_back(name);
    }
    return row;
  }

  std::vector<std::string> row(const Measurement& measurement) const {
    const RunConfig& config = measurement.config;
    const Outcome outcome = measurement.median();
    std::vector<std::string> row = {measurement.label(), std::to_string(config.processes),
                                    std::to_string(config.writers)};
    for (const auto& [name, field] : axes_)
      row.push_back(readable_count(config.*field));
    row.push_back(readable(outcome.ops_per_s));
    const json::object ratios = ratios_of(measurement, series_);
    for (const auto& reference : references_) {
      const json::value* value = ratios.if_contains(reference);
      row.push_back(value != nullptr ? readable(value->to_number<double>()) : "-");
    }
    for (const double us : {outcome.all.p50_us, outcome.all.p90_us, outcome.all.p99_us, outcome.all.p999_us,
                            outcome.all.max_us}) {
      row.push_back(readable_us(us));
    }
    const bool known = outcome.lock_source != LockSource::none;
    const bool told = outcome.lock_source == LockSource::events;
    row.push_back(known ? readable_us(outcome.lock.wait.p50_us) : "-");
    row.push_back(known ? readable_us(outcome.lock.wait.p999_us) : "-");
    row.push_back(known ? readable_us(outcome.lock.hold.p50_us) : "-");
    row.push_back(told ? readable_us(outcome.lock.handover.p50_us) : "-");
    row.push_back(told ? percent(outcome.lock.wasted_share) : "-");
    row.push_back(readable(outcome.jain));
    row.push_back(std::to_string(outcome.failed));
    return row;
  }

 private:
  const std::vector<Measurement>& series_;
  std::vector<std::string> references_;
  std::vector<std::pair<std::string, std::uint64_t RunConfig::*>> axes_;
};

}  // namespace

json::object ratios_of(const Measurement& measurement, const std::vector<Measurement>& series) {
  json::object ratios;
  const RunConfig& config = measurement.config;
  const auto put = [&](const std::string& name, const Measurement& reference) {
    const double value = ratio(measurement, reference);
    if (std::isfinite(value)) ratios[name] = std::round(value * 1000) / 1000;
  };
  for (const auto& other : series) {
    if (!same_place(config, other.config)) continue;
    if (same_engine(config, other.config) && other.config.processes == 1) put("one_process", other);
    if (other.config.is_rival() && other.config.processes == config.processes)
      put(other.config.engine, other);
  }
  return ratios;
}

std::string contention_table(const std::vector<Measurement>& series) {
  const Columns columns(series);
  std::vector<std::vector<std::string>> rows = {columns.names()};
  for (const auto& measurement : series)
    rows.push_back(columns.row(measurement));
  return align(rows);
}

int print_contention(const Series& series, bool as_json) {
  if (as_json) {
    for (const auto& measurement : series.measured) {
      json::object object = to_json(measurement);
      object["ratios"] = ratios_of(measurement, series.measured);
      std::string line;
      write_json(line, object);
      std::printf("%s\n", line.c_str());
    }
  } else if (!series.measured.empty()) {
    const Measurement& first = series.measured.front();
    std::printf("%s", contention_table(series.measured).c_str());
    std::printf("\n%s bytes a session, durability %s, window %s s, %zu runs\n%s\n",
                readable_count(first.config.bytes).c_str(), first.runs.front().durability.c_str(),
                readable(first.median().seconds).c_str(), first.runs.size(),
                describe_environment(to_json(first).at("environment").as_object()).c_str());
  }
  std::fflush(stdout);
  return report_gaps(series);
}

}  // namespace sessile::bench
