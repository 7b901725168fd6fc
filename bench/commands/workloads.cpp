#include "bench/commands/commands.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace sessile::bench {

namespace {

class WorkloadOptions {
 public:
  CommonOptions common;
  std::string engine = "sessile";
  std::string store;
  RunConfig config;  // its own options are read straight into it
};

void add_sizes(CLI::App& command, RunConfig& config, const std::string& workload) {
  const char* bytes = workload == "append" ? "Size of a message as JSON (default 512)"
                                           : "Size of a session as JSON (default 16384)";
  command.add_option("--bytes", config.bytes, bytes)->transform(CLI::AsSizeValue(false));
  if (workload == "append") {
    command.add_option("--base-bytes", config.base_bytes, "Size of a session before the first append")
        ->transform(CLI::AsSizeValue(false))
        ->capture_default_str();
    command
        .add_option("--grow-bytes", config.grow_bytes,
                    "A writer goes on with another session after so many appended bytes; making it is not "
                    "measured")
        ->transform(CLI::AsSizeValue(false))
        ->capture_default_str();
    return;
  }
  if (workload != "same") {
    command.add_option("--sessions", config.sessions,
                       workload == "save"   ? "Distinct sessions over all writers (default: 16 a writer)"
                       : workload == "load" ? "Sessions that are loaded from (default 256)"
                                            : "Sessions in the store (default 10000)");
  }
  if (workload == "save" || workload == "same") {
    command
        .add_option(
            "--change", config.change,
            "What differs from save to save: the text of every message (whole), or of the last (tail)")
        ->check(CLI::IsMember({"whole", "tail"}))
        ->capture_default_str();
  }
  if (workload == "list_for_agent") {
    command.add_option("--agent-sessions", config.agent_sessions, "Sessions of each agent")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
  }
}

int run(const WorkloadOptions& options, const std::string& workload) {
  RunConfig config = options.common.configuration(workload, options.engine, options.store);
  config.writers = options.config.writers;
  config.processes = options.config.processes;
  config.bytes = options.config.bytes;
  config.base_bytes = options.config.base_bytes;
  config.grow_bytes = options.config.grow_bytes;
  config.sessions = options.config.sessions;
  config.agent_sessions = options.config.agent_sessions;
  config.change = options.config.change;
  config.drive = options.config.drive;
  return print(measure({config}, static_cast<std::size_t>(options.common.repeat)), options.common.as_json);
}

void add_workload(CLI::App& app, const std::string& workload, const std::string& about, int& status) {
  auto options = std::make_shared<WorkloadOptions>();
  CLI::App* command = app.add_subcommand(workload, about);
  command->add_option("--store", options->store, "URL of the store: memory:, file:DIR, jsondir:DIR …")
      ->required();
  command->add_option("--engine", options->engine, "sessile, or a rival in the directory of the store's URL")
      ->check(CLI::IsMember(engine_names()))
      ->capture_default_str();
  command
      ->add_option("--writers", options->config.writers, "Coroutines (for a rival: threads) in each process")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--processes", options->config.processes, "Processes, each with that many writers")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--drive", options->config.drive,
                   "How a rival is called: from a thread a writer, or from coroutines through a pool")
      ->check(CLI::IsMember({"threads", "pool"}))
      ->capture_default_str();
  add_sizes(*command, options->config, workload);
  options->common.add_to(*command);
  command->callback([options, workload, &status] { status = run(*options, workload); });
}

}  // namespace

void add_workload_commands(CLI::App& app, int& status) {
  add_workload(app, "save", "Save whole sessions, each writer its own", status);
  add_workload(app, "same", "Save one and the same session from all writers", status);
  add_workload(app, "append", "Append a message, each writer to its own session", status);
  add_workload(app, "load", "Load and parse whole sessions", status);
  add_workload(app, "list_for_agent", "Load all sessions of one agent out of many", status);
}

}  // namespace sessile::bench
