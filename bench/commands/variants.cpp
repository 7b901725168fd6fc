#include "bench/commands/variants.hpp"

#include "bench/engines/engine.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace sessile::bench {

void Variants::add_to(CLI::App& command) {
  command.add_option("--store", stores, "URL of a store; give it again for another one")->required();
  command.add_option("--engine", engines, "sessile and rivals (comma-separated)")
      ->delimiter(',')
      ->check(CLI::IsMember(engine_names()))
      ->capture_default_str();
  command
      .add_option("--lock", locks,
                  "Lock primitives: ofd, interprocess, flock (comma-separated); passed to the store as the "
                  "parameter lock=")
      ->delimiter(',')
      ->check(CLI::IsMember({"ofd", "interprocess", "flock"}));
  command
      .add_option(
          "--waiting", waitings,
          "Waiting strategies: notify, poll:50ms, backoff (comma-separated); passed to the store as the "
          "parameter waiting=")
      ->delimiter(',');
}

std::vector<RunConfig> Variants::configurations(const CommonOptions& common,
                                                const std::string& workload) const {
  const std::vector<std::string> unasked = {""};
  std::vector<RunConfig> configs;
  for (const auto& engine : engines) {
    if (engine != "sessile") {
      configs.push_back(common.configuration(workload, engine, stores.front()));
      continue;
    }
    for (const auto& store : stores) {
      for (const auto& lock : locks.empty() ? unasked : locks) {
        for (const auto& waiting : waitings.empty() ? unasked : waitings) {
          RunConfig config = common.configuration(workload, engine, store);
          if (!lock.empty()) config.store = with_parameter(config.store, "lock", lock);
          if (!waiting.empty()) config.store = with_parameter(config.store, "waiting", waiting);
          config.shown_store = without_credentials(config.store);
          config.lock = lock;
          config.waiting = waiting;
          configs.push_back(std::move(config));
        }
      }
    }
  }
  return configs;
}

bool fits(const RunConfig& config) {
  const RivalKind* kind = find_rival(config.engine);
  if (kind == nullptr || kind->many_processes || config.processes == 1) return true;
  std::fprintf(stderr, "sessile-bench: %s is one process's at a time: left out at %llu processes\n",
               config.engine.c_str(), static_cast<unsigned long long>(config.processes));
  return false;
}

}  // namespace sessile::bench
