#include "bench/comparison.hpp"

#include "bench/engines/engine.hpp"
#include "bench/environment.hpp"

namespace sessile::bench {

namespace {

std::string group_of(const Measurement& measurement) {
  const RunConfig& config = measurement.config;
  std::string text = config.workload + ", " + std::to_string(config.writers) +
                     (config.writers == 1 ? " writer, " : " writers, ") + readable_count(config.bytes) +
                     " bytes";
  if (config.workload == "list_for_agent") {
    text +=
        ", " + std::to_string(config.agent_sessions) + " of " + readable_count(config.sessions) + " sessions";
  }
  return text;
}

bool is_peer(const Measurement& measurement) {
  const RivalKind* kind = find_rival(measurement.config.engine);
  return kind != nullptr && kind->peer;
}

class Reference {
 public:
  explicit Reference(const std::vector<const Measurement*>& group) {
    for (const auto* measurement : group) {
      const double rate = measurement->median().ops_per_s;
      if (measurement->config.engine == "floor") floor = rate;
      if (is_peer(*measurement) && rate > best) {
        best = rate;
        best_name = measurement->label();
      }
    }
  }
  double best = 0;
  double floor = 0;
  std::string best_name = "none";
};

std::string ratio(double value, double reference) {
  return reference > 0 ? readable(value / reference) : "-";
}

std::string table_of(const std::vector<const Measurement*>& group) {
  const Reference reference(group);
  std::vector<std::vector<std::string>> rows = {
      {"", "ops/s", "p50", "p99", "max", "failed", "× " + reference.best_name, "× floor"}};
  for (const auto* measurement : group) {
    const Outcome outcome = measurement->median();
    rows.push_back({measurement->label(), readable(outcome.ops_per_s), readable_us(outcome.all.p50_us),
                    readable_us(outcome.all.p99_us), readable_us(outcome.all.max_us),
                    std::to_string(outcome.failed), ratio(outcome.ops_per_s, reference.best),
                    ratio(outcome.ops_per_s, reference.floor)});
  }
  return align(rows);
}

}  // namespace

std::string comparison_table(const std::vector<Measurement>& measurements) {
  std::vector<std::string> order;
  for (const auto& measurement : measurements) {
    const std::string group = group_of(measurement);
    if (std::find(order.begin(), order.end(), group) == order.end()) order.push_back(group);
  }
  std::string out;
  for (const auto& name : order) {
    std::vector<const Measurement*> group;
    for (const auto& measurement : measurements) {
      if (group_of(measurement) == name) group.push_back(&measurement);
    }
    out += name + "\n" + table_of(group) + "\n";
  }
  if (!measurements.empty()) {
    const json::object first = to_json(measurements.front());
    out += "durability " + std::string(first.at("durability").as_string()) + ", medians of " +
           std::to_string(measurements.front().runs.size()) + " rounds\n" +
           describe_environment(first.at("environment").as_object()) + "\n";
  }
  return out;
}

}  // namespace sessile::bench
