#include "bench/series.hpp"

#include "bench/measure/coordinator.hpp"

#include <cstdio>

namespace sessile::bench {

namespace {

std::string describe(const Measurement& measurement) {
  const RunConfig& config = measurement.config;
  return measurement.label() + " " + config.workload + " " + std::to_string(config.processes) + "×" +
         std::to_string(config.writers);
}

}  // namespace

Series measure(std::vector<RunConfig> configurations, std::size_t rounds) {
  Progress progress(configurations.size() * rounds);
  Series series;
  std::vector<Measurement> all;
  for (auto& config : configurations) {
    config.fill_in_defaults();
    all.emplace_back(std::move(config));
  }
  std::vector<bool> broken(all.size(), false);
  for (std::size_t round = 0; round < rounds && !series.interrupted; ++round) {
    for (std::size_t i = 0; i < all.size() && !series.interrupted; ++i) {
      if (broken[i]) continue;
      progress.begin_run(describe(all[i]));
      auto outcome = run_once(all[i].config, progress);
      if (outcome) {
        all[i].runs.push_back(std::move(*outcome));
      } else if (outcome.error().code() == Errc::cancelled) {
        series.interrupted = true;
      } else {
        broken[i] = true;
        series.not_measured.push_back(describe(all[i]) + ": " + outcome.error().message());
      }
      progress.end_run();
    }
  }
  for (auto& measurement : all) {
    if (!measurement.runs.empty()) series.measured.push_back(std::move(measurement));
  }
  return series;
}

int report_gaps(const Series& series) {
  for (const auto& text : series.not_measured) {
    std::fprintf(stderr, "sessile-bench: not measured: %s\n", text.c_str());
  }
  for (const auto& measurement : series.measured) {
    const Outcome outcome = measurement.median();
    if (outcome.failed + outcome.failed_warm_up == 0) continue;
    std::fprintf(stderr, "sessile-bench: %s: %llu operations failed (%llu in warm-up); the first: %s\n",
                 describe(measurement).c_str(),
                 static_cast<unsigned long long>(outcome.failed + outcome.failed_warm_up),
                 static_cast<unsigned long long>(outcome.failed_warm_up), outcome.first_failure.c_str());
  }
  if (series.interrupted)
    std::fprintf(stderr, "sessile-bench: interrupted: what was measured before is shown\n");
  return series.not_measured.empty() && !series.interrupted ? 0 : 1;
}

}  // namespace sessile::bench
