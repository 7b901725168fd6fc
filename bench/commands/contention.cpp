#include "bench/commands/commands.hpp"

#include "bench/engines/engine.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace sessile::bench {

namespace {

/// The axes of the grid: each combination is measured.
class Grid {
 public:
  CommonOptions common;
  std::vector<std::string> stores;
  std::vector<std::string> engines = {"sessile"};
  std::vector<std::uint64_t> processes = {8};
  std::vector<std::uint64_t> writers = {1};
  std::vector<std::uint64_t> sessions = {1};
  std::vector<std::uint64_t> bytes = {16384};
  std::vector<std::string> locks;
  std::vector<std::string> waitings;
  std::vector<std::uint64_t> reads = {0};
  std::uint64_t think_us = 0;
  std::uint64_t timeline = 0;
  std::string change = "whole";
};

/// Sessile on each store with each primitive and waiting strategy asked for; each rival once.
std::vector<RunConfig> variants(const Grid& grid) {
  const std::vector<std::string> unasked = {""};
  std::vector<RunConfig> configs;
  for (const auto& engine : grid.engines) {
    if (engine != "sessile") {
      configs.push_back(grid.common.configuration("contention", engine, grid.stores.front()));
      continue;
    }
    for (const auto& store : grid.stores) {
      for (const auto& lock : grid.locks.empty() ? unasked : grid.locks) {
        for (const auto& waiting : grid.waitings.empty() ? unasked : grid.waitings) {
          RunConfig config = grid.common.configuration("contention", engine, store);
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

std::vector<RunConfig> cells(const Grid& grid) {
  std::vector<RunConfig> configs;
  for (const auto bytes : grid.bytes) {
    for (const auto sessions : grid.sessions) {
      for (const auto reads : grid.reads) {
        for (const auto processes : grid.processes) {
          for (const auto writers : grid.writers) {
            for (RunConfig config : variants(grid)) {
              config.bytes = bytes;
              config.sessions = sessions;
              config.reads = reads;
              config.processes = processes;
              config.writers = writers;
              config.think_us = grid.think_us;
              config.timeline = grid.timeline;
              config.change = grid.change;
              if (fits(config)) configs.push_back(std::move(config));
            }
          }
        }
      }
    }
  }
  return configs;
}

CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<std::uint64_t>& values,
                      const std::string& about) {
  return command.add_option(name, values, about + " (comma-separated)")
      ->delimiter(',')
      ->capture_default_str();
}

void add_axes(CLI::App& command, Grid& grid) {
  command.add_option("--store", grid.stores, "URL of a store; give it again for another one")->required();
  command.add_option("--engine", grid.engines, "sessile and rivals (comma-separated)")
      ->delimiter(',')
      ->check(CLI::IsMember(engine_names()))
      ->capture_default_str();
  add_list(command, "--processes", grid.processes, "Numbers of processes")->check(CLI::Range(1, 256));
  add_list(command, "--writers", grid.writers, "Numbers of coroutines (for a rival: threads) a process")
      ->check(CLI::Range(1, 4096));
  add_list(command, "--sessions", grid.sessions, "Numbers of sessions they meet on")
      ->check(CLI::Range(1, 1000000));
  add_list(command, "--bytes", grid.bytes, "Sizes of a session")->transform(CLI::AsSizeValue(false));
  add_list(command, "--reads", grid.reads, "Loads among the operations, in per cent")
      ->check(CLI::Range(0, 100));
  command.add_option("--lock", grid.locks, "Lock primitives: ofd, interprocess, flock (comma-separated)")
      ->delimiter(',')
      ->check(CLI::IsMember({"ofd", "interprocess", "flock"}));
  command
      .add_option(
          "--waiting", grid.waitings,
          "Waiting strategies: notify, poll:50ms, backoff (comma-separated); passed to the store as the "
          "parameter waiting=")
      ->delimiter(',');
  command
      .add_option("--think-time", grid.think_us, "Pause between a writer's operations, as in 500us or 2ms")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, std::uint64_t>{{"us", 1}, {"ms", 1000}, {"s", 1000000}}));
  command
      .add_option("--timeline", grid.timeline, "Keep the first so many operations of a run, for a timeline")
      ->check(CLI::Range(0, 100000));
  command.add_option("--change", grid.change, "What differs from save to save: whole or tail")
      ->check(CLI::IsMember({"whole", "tail"}))
      ->capture_default_str();
}

constexpr const char* kNotes =
    "Every combination is one run. With --repeat the whole grid is gone through again, so that what else "
    "the\n"
    "machine does meets all of them alike. The wait of an operation is its latency: queueing, lock, work, "
    "sync.\n"
    "\n"
    "Examples:\n"
    "  sessile-bench contention --store file:/tmp/b --processes 1,2,4,8 --engine sessile,poll50,sqlite "
    "--repeat 3\n"
    "  sessile-bench contention --store file:/tmp/b --writers 64 --processes 1 --timeline 500 --json\n"
    "  sessile-bench contention --store file:/tmp/b --store jsondir:/tmp/b --reads 0,50,90 --sessions 1,100";

}  // namespace

void add_contention_command(CLI::App& app, int& status) {
  auto grid = std::make_shared<Grid>();
  CLI::App* command = app.add_subcommand(
      "contention", "A grid of processes, writers, sessions, sizes, locks: who waits how long");
  command->footer(kNotes);
  add_axes(*command, *grid);
  grid->common.add_to(*command);
  command->callback([grid, &status] {
    status =
        print(measure(cells(*grid), static_cast<std::size_t>(grid->common.repeat)), grid->common.as_json);
  });
}

}  // namespace sessile::bench
