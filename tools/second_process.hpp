// The conformance suite's other process: this command once more.
#pragma once

#include <sessile/result.hpp>

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace sessile::tools {
class Call;

/// Runs `command` of the suite in another process on the same store; returns what it printed. Errors: io.
Result<std::string> run_second_process(const std::string& store_url, const std::string& durability,
                                       const std::string& command, const std::vector<std::string>& arguments);

/// The hidden subcommand that the other process runs.
void add_second_process(CLI::App& app, Call& call);

}  // namespace sessile::tools
