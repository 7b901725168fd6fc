#include "bench/commands/commands.hpp"

#include "bench/engines/engine.hpp"
#include "bench/environment.hpp"

#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

namespace sessile::bench {

std::vector<std::string> engine_names() {
  std::vector<std::string> names = {"sessile"};
  for (const auto& kind : rival_kinds())
    names.push_back(kind.name);
  return names;
}

void CommonOptions::add_to(CLI::App& command) {
  command.add_option("--seconds", seconds, "Length of the measured window")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--warm-up", warm_up, "Seconds before it that are not counted")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--repeat", repeat, "Measure this often; the medians are told, and the longest max")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option(
      "--threads", threads,
      "Threads that the coroutines of one process run on (default: as many as writers, at most "
      "the CPUs)");
  command
      .add_option("--durability", durability,
                  "What an acknowledged write survives (default: the strongest the store has)")
      ->check(CLI::IsMember({"none", "process", "power"}));
  command.add_flag("--json", as_json, "One JSON object a line, for machines and for `report`");
}

RunConfig CommonOptions::configuration(const std::string& workload, const std::string& engine,
                                       const std::string& store) const {
  RunConfig config;
  config.workload = workload;
  config.engine = engine;
  config.store = store;
  config.shown_store = without_credentials(store);
  config.durability = durability;
  config.seconds = seconds;
  config.warm_up = warm_up;
  config.threads = threads;
  if (config.is_rival() && !is_directory_url(store)) {
    throw CLI::ValidationError("--store", "the engine " + engine + " needs a directory, as in file:DIR");
  }
  return config;
}

int print(const Series& series, bool as_json) {
  if (as_json) {
    for (const auto& measurement : series.measured) {
      std::string line;
      write_json(line, to_json(measurement));
      std::printf("%s\n", line.c_str());
    }
  } else if (!series.measured.empty()) {
    std::printf("%s", to_table(series.measured).c_str());
    const json::object first = to_json(series.measured.front());
    std::printf("\ndurability %s, window %s s\n%s\n", series.measured.front().runs.front().durability.c_str(),
                readable(series.measured.front().median().seconds).c_str(),
                describe_environment(first.at("environment").as_object()).c_str());
  }
  std::fflush(stdout);
  return report_gaps(series);
}

}  // namespace sessile::bench
