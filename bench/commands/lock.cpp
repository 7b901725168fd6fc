#include "bench/commands/commands.hpp"
#include "bench/environment.hpp"
#include "bench/measure/lock_cost.hpp"
#include "bench/measure/run_directory.hpp"

#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <memory>

namespace sessile::bench {

namespace {

class LockCommandOptions {
 public:
  std::string store;
  std::vector<std::string> locks = {"ofd", "interprocess", "flock"};
  std::uint64_t times = 2000;
  std::uint64_t rounds = 15;
  bool as_json = false;
};

LockPrimitive primitive_of(const std::string& name) {
  if (name == "flock") return LockPrimitive::flock;
  return name == "interprocess" ? LockPrimitive::interprocess : LockPrimitive::open_file_description;
}

json::object line_of(const std::string& lock, const LockCost& cost, const std::vector<LockCost>& all,
                     const LockCommandOptions& options) {
  const double ns = cost.median_ns();
  const auto ratio_to = [&](std::size_t way) { return std::round(ns / all[way].median_ns() * 1000) / 1000; };
  json::object object;
  object["engine"] = cost.name;
  object["label"] = lock + " " + cost.name;
  object["workload"] = "lock";
  object["lock"] = lock;
  object["writers"] = 1;
  object["processes"] = 1;
  object["bytes"] = 0;
  object["store"] = without_credentials(options.store);
  object["repeats"] = options.rounds;
  object["operations"] = options.times * options.rounds;
  object["ops_per_s"] = std::round(1e9 / ns);
  object["mean_us"] = std::round(ns) / 1e3;
  object["failed"] = 0;
  json::object ratios;
  ratios["bare"] = ratio_to(0);
  ratios["bare_via_pool"] = ratio_to(1);
  object["ratios"] = std::move(ratios);
  object["environment"] = environment(directory_of(options.store).value());
  return object;
}

Result<void> run(const LockCommandOptions& options) {
  RunConfig config;
  config.store = options.store;
  RunDirectory directory;
  if (auto made = directory.give(config); !made) return made;
  const std::string place = directory_of(config.store).value();
  std::vector<std::vector<std::string>> rows = {{"lock", "a time", "× bare", "× bare via pool"}};
  std::string machine;
  for (const auto& lock : options.locks) {
    auto costs = measure_lock_costs(place, primitive_of(lock), static_cast<std::size_t>(options.times),
                                    static_cast<std::size_t>(options.rounds));
    if (!costs) return costs.error();
    for (const auto& cost : *costs) {
      const json::object line = line_of(lock, cost, *costs, options);
      const json::object& ratios = line.at("ratios").as_object();
      rows.push_back({lock + " " + cost.name, readable_us(cost.median_ns() / 1e3),
                      readable(ratios.at("bare").to_number<double>()),
                      readable(ratios.at("bare_via_pool").to_number<double>())});
      machine = describe_environment(line.at("environment").as_object());
      if (!options.as_json) continue;
      std::string text;
      write_json(text, line);
      std::printf("%s\n", text.c_str());
    }
  }
  if (!options.as_json) std::printf("%s\n%s\n", align(rows).c_str(), machine.c_str());
  return success();
}

constexpr const char* kNotes =
    "Medians of rounds in turn, of one lock taken and freed over and over, that nobody else wants:\n"
    "  bare            open, lock, close, on one thread\n"
    "  bare via pool   the same from a coroutine, by way of the store's pool, as any asynchronous file work "
    "goes\n"
    "  try_lock        Sessile's lock on one thread: the sidecar is looked at first, and never opened twice\n"
    "  run_locked      Sessile's lock as a save takes it: from a coroutine, with its queue, on the pool";

}  // namespace

void add_lock_command(CLI::App& app, int& status) {
  auto options = std::make_shared<LockCommandOptions>();
  CLI::App* command =
      app.add_subcommand("lock", "A lock that nobody else wants, beside the bare system calls");
  command->footer(kNotes);
  command->add_option("--store", options->store, "A directory, as in file:DIR")
      ->required()
      ->check([](const std::string& url) {
        return is_directory_url(url) ? std::string() : "the workload lock needs a directory, as in file:DIR";
      });
  command->add_option("--lock", options->locks, "Lock primitives (comma-separated)")
      ->delimiter(',')
      ->check(CLI::IsMember({"ofd", "interprocess", "flock"}))
      ->capture_default_str();
  command->add_option("--times", options->times, "How often in a round")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  command->add_option("--repeat", options->rounds, "Rounds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "One JSON object a line, for machines");
  command->callback([options, &status] {
    const auto done = run(*options);
    if (done) return;
    std::fprintf(stderr, "sessile-bench: %s\n", done.error().message().c_str());
    status = 1;
  });
}

}  // namespace sessile::bench
