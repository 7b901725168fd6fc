#include "bench/commands/variants.hpp"
#include "bench/contention_table.hpp"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>

namespace sessile::bench {

namespace {

/// The axes of the grid: each combination is measured.
class Grid {
 public:
  CommonOptions common;
  Variants variants;
  std::vector<std::uint64_t> processes = {8};
  std::vector<std::uint64_t> writers = {1};
  std::vector<std::uint64_t> sessions = {1};
  std::vector<std::uint64_t> bytes = {16384};
  std::vector<std::uint64_t> reads = {0};
  std::vector<std::uint64_t> think_us = {0};
  std::uint64_t timeline = 0;
  std::string operation = "save";
  std::string change = "whole";
};

/// Calls visit(config) with each combination of the axes of numbers.
template <class Visit>
void each_place(const Grid& grid, Visit visit) {
  RunConfig place;
  place.timeline = grid.timeline;
  place.operation = grid.operation;
  place.change = grid.change;
  for (const auto bytes : grid.bytes) {
    place.bytes = bytes;
    for (const auto sessions : grid.sessions) {
      place.sessions = sessions;
      for (const auto reads : grid.reads) {
        place.reads = reads;
        for (const auto think_us : grid.think_us) {
          place.think_us = think_us;
          for (const auto processes : grid.processes) {
            place.processes = processes;
            for (const auto writers : grid.writers) {
              place.writers = writers;
              visit(place);
            }
          }
        }
      }
    }
  }
}

std::vector<RunConfig> cells(const Grid& grid) {
  std::vector<RunConfig> configs;
  each_place(grid, [&](const RunConfig& place) {
    for (RunConfig config : grid.variants.configurations(grid.common, "contention")) {
      config.bytes = place.bytes;
      config.sessions = place.sessions;
      config.reads = place.reads;
      config.think_us = place.think_us;
      config.processes = place.processes;
      config.writers = place.writers;
      config.timeline = place.timeline;
      config.operation = place.operation;
      config.change = place.change;
      if (config.is_rival() && config.operation != "save") {
        throw CLI::ValidationError("--operation", "a rival can only save");
      }
      if (fits(config)) configs.push_back(std::move(config));
    }
  });
  return configs;
}

CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<std::uint64_t>& values,
                      const std::string& about) {
  return command.add_option(name, values, about + " (comma-separated)")
      ->delimiter(',')
      ->capture_default_str();
}

void add_axes(CLI::App& command, Grid& grid) {
  grid.variants.add_to(command);
  add_list(command, "--processes", grid.processes, "Numbers of processes")->check(CLI::Range(1, 256));
  add_list(command, "--writers", grid.writers, "Numbers of coroutines (for a rival: threads) a process")
      ->check(CLI::Range(1, 4096));
  add_list(command, "--sessions", grid.sessions, "Numbers of sessions they meet on")
      ->check(CLI::Range(1, 1000000));
  add_list(command, "--bytes", grid.bytes, "Sizes of a session")->transform(CLI::AsSizeValue(false));
  add_list(command, "--reads", grid.reads, "Loads among the operations, in per cent")
      ->check(CLI::Range(0, 100));
  add_list(command, "--think-time", grid.think_us,
           "Pauses between a writer's operations, as in 0us,500us,2ms")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, std::uint64_t>{{"us", 1}, {"ms", 1000}, {"s", 1000000}}));
  command.add_option("--operation", grid.operation, "What a write is: save, or update (read, change, write)")
      ->check(CLI::IsMember({"save", "update"}))
      ->capture_default_str();
  command
      .add_option("--timeline", grid.timeline, "Keep the first so many operations of a run, for a timeline")
      ->check(CLI::Range(0, 100000));
  command.add_option("--change", grid.change, "What differs from save to save: whole or tail")
      ->check(CLI::IsMember({"whole", "tail"}))
      ->capture_default_str();
}

constexpr const char* kNotes =
    "Every combination is one run. With --repeat the whole grid is gone through again, so that what else "
    "the\nmachine does meets all of them alike.\n"
    "\n"
    "What the figures mean:\n"
    "  p50 … max       an operation, from the call to its end: queueing, lock, work and sync\n"
    "  wait            from asking for the session's lock to having it, or giving up\n"
    "  hold            from having it to freeing it\n"
    "  handover        from a release to the next one's having it, where somebody was waiting\n"
    "  wasted          the share of the window in which the lock was free though somebody waited\n"
    "  overtakings     how often somebody had it before another who had asked earlier\n"
    "  Jain            fairness over all writers of all processes: 1 when all got the same done\n"
    "wait to overtakings are what the store tells a LockObserver: file: and jsondir: do, and so do poll50 "
    "and "
    "sqlite\n(whose lock is the whole database). Of a store that tells nothing they are null (-), except "
    "that "
    "with\n--operation update wait and hold are then seen from outside: the lock is taken as had when the "
    "mutation begins\nand as freed when update returns (\"locks_from\": \"mutations\"); they stay null when "
    "a "
    "mutation ran twice, since\nsuch a store does not lock.\n"
    "\n"
    "Examples:\n"
    "  sessile-bench contention --store file:/tmp/b --processes 1,2,4,8 --engine sessile,poll50,sqlite "
    "--repeat 3\n"
    "  sessile-bench contention --store file:/tmp/b --writers 64 --processes 1 --timeline 500 --json\n"
    "  sessile-bench contention --store file:/tmp/b --waiting notify,backoff,poll:50ms --lock ofd,flock\n"
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
    status = print_contention(measure(cells(*grid), static_cast<std::size_t>(grid->common.repeat)),
                              grid->common.as_json);
  });
}

}  // namespace sessile::bench
