#include "bench/commands/commands.hpp"

#include "bench/comparison.hpp"
#include "bench/engines/engine.hpp"

#include <sessile/open.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace sessile::bench {

namespace {

class CompareOptions {
 public:
  CompareOptions() {
    common.seconds = 2;
    common.warm_up = 0.5;
    common.repeat = 5;
  }
  CommonOptions common;
  std::string directory = "sessile-bench-data";
  std::vector<std::string> stores;
  std::vector<std::string> engines;
  std::vector<std::string> workloads = {"save", "append", "load", "list_for_agent"};
  std::vector<std::uint64_t> writers = {1, 16};
  std::vector<std::string> drives = {"threads"};
  std::uint64_t session_bytes = 16384;
  std::uint64_t message_bytes = 512;
  std::uint64_t sessions = 10000;
};

std::vector<std::string> default_stores(const std::string& directory) {
  std::vector<std::string> stores;
  const auto known = registered_schemes();
  for (const std::string scheme : {"file", "jsondir"}) {
    if (std::find(known.begin(), known.end(), scheme) != known.end())
      stores.push_back(scheme + ":" + directory);
  }
  return stores;
}

bool wanted(const CompareOptions& options, const std::string& engine) {
  if (options.engines.empty()) return engine != "poll50";
  return std::find(options.engines.begin(), options.engines.end(), engine) != options.engines.end();
}

/// All that are compared in one workload: Sessile's stores, the rivals, the floor.
std::vector<RunConfig> contenders(const CompareOptions& options, const std::string& workload) {
  std::vector<RunConfig> configs;
  if (wanted(options, "sessile")) {
    for (const auto& store : options.stores.empty() ? default_stores(options.directory) : options.stores) {
      configs.push_back(options.common.configuration(workload, "sessile", store));
    }
  }
  for (const auto& kind : rival_kinds()) {
    if (!wanted(options, kind.name)) continue;
    for (const auto& drive : options.drives) {
      if (drive == "pool" && !kind.peer) continue;
      RunConfig config = options.common.configuration(workload, kind.name, "file:" + options.directory);
      config.drive = drive;
      configs.push_back(std::move(config));
    }
  }
  return configs;
}

std::vector<RunConfig> cells(const CompareOptions& options) {
  std::vector<RunConfig> configs;
  for (const auto& workload : options.workloads) {
    for (const auto writers : options.writers) {
      for (RunConfig config : contenders(options, workload)) {
        config.writers = writers;
        config.bytes = workload == "append" ? options.message_bytes : options.session_bytes;
        if (workload == "list_for_agent") config.sessions = options.sessions;
        configs.push_back(std::move(config));
      }
    }
  }
  return configs;
}

int run(const CompareOptions& options) {
  const Series series = measure(cells(options), static_cast<std::size_t>(options.common.repeat));
  if (options.common.as_json) return print(series, true);
  std::printf("%s", comparison_table(series.measured).c_str());
  std::fflush(stdout);
  return report_gaps(series);
}

void add_options(CLI::App& command, CompareOptions& options) {
  command
      .add_option("--dir", options.directory, "Where all of them store; on the device you want to know about")
      ->capture_default_str();
  command.add_option(
      "--store", options.stores,
      "Sessile stores to compare, in the place of file: and jsondir: in that directory; yours too");
  command
      .add_option("--engine", options.engines,
                  "Only these engines (comma-separated; default: all but poll50)")
      ->delimiter(',')
      ->check(CLI::IsMember(engine_names()));
  command.add_option("--workloads", options.workloads, "Only these workloads (comma-separated)")
      ->delimiter(',')
      ->check(CLI::IsMember({"save", "same", "append", "load", "list_for_agent"}))
      ->capture_default_str();
  command.add_option("--writers", options.writers, "Numbers of writers (comma-separated)")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      .add_option("--drive", options.drives,
                  "How rivals are called: threads, pool, or both (comma-separated)")
      ->delimiter(',')
      ->check(CLI::IsMember({"threads", "pool"}))
      ->capture_default_str();
  command.add_option("--bytes", options.session_bytes, "Size of a session")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command.add_option("--message-bytes", options.message_bytes, "Size of an appended message")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command.add_option("--sessions", options.sessions, "Sessions in the store for list_for_agent")
      ->capture_default_str();
}

}  // namespace

void add_compare_command(CLI::App& app, int& status) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = app.add_subcommand(
      "compare", "All engines of this build in turn: save, append, load, list_for_agent, with ratios");
  command->footer(
      "Rounds are interleaved: each engine is run once before any is run again. `floor` is not a store but "
      "the\n"
      "bare system calls a file a session takes: tmp, fsync, rename, fsync of the directory; write, "
      "fdatasync;\n"
      "read. Every engine stores and parses the same JSON.");
  add_options(*command, *options);
  options->common.add_to(*command);
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace sessile::bench
