#include "bench/measure/takeover.hpp"
#include "bench/commands/variants.hpp"
#include "bench/environment.hpp"
#include "bench/measure/coordinator.hpp"

#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace sessile::bench {

namespace {

class TakeoverOptions {
 public:
  CommonOptions common;
  Variants variants;
  std::vector<std::uint64_t> processes = {4};
  std::uint64_t bytes = 16384;
  std::uint64_t kills = 10;
  std::uint64_t kills_writing = 10;
};

std::vector<Takeover> cells(const TakeoverOptions& options) {
  std::vector<Takeover> cells;
  for (const auto processes : options.processes) {
    for (RunConfig config : options.variants.configurations(options.common, "takeover")) {
      config.processes = processes;
      config.bytes = options.bytes;
      config.fill_in_defaults();
      if (fits(config)) cells.emplace_back(std::move(config));
    }
  }
  return cells;
}

/// What was measured, and what could not be.
class TakeoverSeries {
 public:
  explicit TakeoverSeries(std::vector<Takeover> cells) : cells_(std::move(cells)), broken_(cells_.size()) {}

  void measure(std::uint64_t kills, std::uint64_t kills_writing) {
    Progress progress(cells_.size() * static_cast<std::size_t>(kills + kills_writing));
    for (std::uint64_t round = 0; round < std::max(kills, kills_writing); ++round) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (round < kills) once(i, kKilledHolding, cells_[i].held, progress);
        if (round < kills_writing) once(i, kKilledWriting, cells_[i].writing, progress);
        if (interrupted()) return;
      }
    }
  }

  int print(bool as_json) {
    std::erase_if(cells_, [](const Takeover& takeover) { return takeover.held.empty(); });
    if (as_json) {
      for (const auto& takeover : cells_) {
        std::string line;
        write_json(line, to_json(takeover));
        std::printf("%s\n", line.c_str());
      }
    } else if (!cells_.empty()) {
      const json::object first = to_json(cells_.front());
      std::printf("%s\n%s\n", to_table(cells_).c_str(),
                  describe_environment(first.at("environment").as_object()).c_str());
    }
    std::fflush(stdout);
    for (const auto& text : not_measured_)
      std::fprintf(stderr, "sessile-bench: not measured: %s\n", text.c_str());
    return not_measured_.empty() && !interrupted() ? 0 : 1;
  }

 private:
  void once(std::size_t cell, const char* operation, std::vector<TakeoverRound>& rounds, Progress& progress) {
    if (broken_[cell] || interrupted()) return;
    RunConfig config = cells_[cell].config;
    config.operation = operation;
    const std::string label = config.engine + " " + config.shown_store + ", killed " + operation;
    progress.begin_run(label);
    auto round = take_over_once(std::move(config), progress, 0);
    progress.end_run();
    if (round) {
      rounds.push_back(std::move(*round));
    } else if (round.error().code() != Errc::cancelled) {
      broken_[cell] = true;
      not_measured_.push_back(label + ": " + round.error().message());
    }
  }

  std::vector<Takeover> cells_;
  std::vector<bool> broken_;
  std::vector<std::string> not_measured_;
};

constexpr const char* kNotes =
    "One process is in an update of a session, and so holds its lock, when it is killed with SIGKILL; all "
    "others\nwait for it. `next has it` is the time from the kill until the first of them is in its own "
    "mutation: "
    "it has the\nlock and has read the session. `all served`: until the last one has written. Then, in "
    "rounds of "
    "their own, a\nprocess is killed in the middle of its saves while the others save too. After every round "
    "the "
    "session must be\none of those that were saved, whole: else it is counted as torn.\n"
    "\n"
    "Not for stores that hold no lock while an update's mutation runs; those are told.\n"
    "\n"
    "Example:\n"
    "  sessile-bench takeover --store file:/tmp/b --engine sessile,poll50,sqlite --processes 8";

}  // namespace

void add_takeover_command(CLI::App& app, int& status) {
  auto options = std::make_shared<TakeoverOptions>();
  CLI::App* command =
      app.add_subcommand("takeover", "kill -9 of the holder of a lock: how soon the next one has it");
  command->footer(kNotes);
  options->variants.add_to(*command);
  command->add_option("--processes", options->processes, "Numbers of processes, with the one that is killed")
      ->delimiter(',')
      ->check(CLI::Range(2, 256))
      ->capture_default_str();
  command->add_option("--bytes", options->bytes, "Size of the session")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command->add_option("--kills", options->kills, "How often to kill a process that holds the lock")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--kills-writing", options->kills_writing, "How often to kill one that is writing")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command
      ->add_option("--durability", options->common.durability,
                   "What an acknowledged write survives (default: the strongest the store has)")
      ->check(CLI::IsMember({"none", "process", "power"}));
  command->add_flag("--json", options->common.as_json,
                    "One JSON object a line, for machines and for `report`");
  command->callback([options, &status] {
    TakeoverSeries series(cells(*options));
    series.measure(options->kills, options->kills_writing);
    status = series.print(options->common.as_json);
  });
}

}  // namespace sessile::bench
