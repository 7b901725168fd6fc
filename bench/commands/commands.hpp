// The subcommands of sessile-bench. Each adds itself to the program and, once parsed, runs and sets `status`.
#pragma once

#include "bench/series.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace sessile::bench {

void add_workload_commands(CLI::App& app, int& status);
void add_contention_command(CLI::App& app, int& status);
void add_takeover_command(CLI::App& app, int& status);
void add_lock_command(CLI::App& app, int& status);
void add_compare_command(CLI::App& app, int& status);
void add_report_command(CLI::App& app, int& status);

/// The options that every measuring command has.
class CommonOptions {
 public:
  /// Names them on `command`.
  void add_to(CLI::App& command);
  /// A configuration with these options, for `engine` on `store`. Throws CLI::ValidationError when the two do
  /// not fit each other.
  RunConfig configuration(const std::string& workload, const std::string& engine,
                          const std::string& store) const;

  double seconds = 5;
  double warm_up = 1;
  std::uint64_t repeat = 1;
  std::uint64_t threads = 0;
  std::string durability;
  bool as_json = false;
};

/// The names --engine takes in this build: sessile and the rivals.
std::vector<std::string> engine_names();

/// Prints JSON lines or a table on stdout, and what is missing on stderr. Returns the exit status.
int print(const Series& series, bool as_json);

}  // namespace sessile::bench
