// sessile: keeps, shows and moves the sessions of AI agents.
#include "command.hpp"
#include "second_process.hpp"

#include <CLI/CLI.hpp>

#ifdef SESSILE_HAS_POSTGRES
#include <sessile/postgres.hpp>
#endif

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

namespace sessile::tools {
namespace {

constexpr const char* kAbout =
    "Keeps the sessions of AI agents.\n\n"
    "A store is named by a URL: file:DIR (one readable JSON file a session), jsondir:DIR (an append log a "
    "session),\n"
    "memory: (gone when the command ends)"
#ifdef SESSILE_HAS_POSTGRES
    ", postgres://USER@HOST/DATABASE (tables on a server)"
#endif
    ".\n\n"
    "  export SESSILE_STORE=jsondir:$HOME/.sessions\n"
    "  sessile import ~/.claude/projects      take over what you have\n"
    "  sessile ls --limit 10                  the ten newest\n"
    "  sessile show ID --last 5               the end of one\n"
    "  sessile copy --to file:/mnt/backup     all of them, elsewhere\n";

constexpr const char* kExitCodes =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 locked, 6 corrupt.\n"
    "With --json results are JSON on stdout, one document or a line an item, errors {\"error\": ...} on "
    "stderr.\n"
    "sessile COMMAND --help explains a command, with an example.";

void add_options(CLI::App& app, Call& call) {
  app.add_option("--store", call.store_url, "URL of the store")->envname("SESSILE_STORE")->type_name("URL");
  app.add_flag("--json", call.json, "Results for machines");
  app.add_option("--durability", call.durability, "What a write survives: none, process (kill -9), power")
      ->check(CLI::IsMember({"none", "process", "power"}))
      ->type_name("LEVEL");
  const std::map<std::string, std::uint64_t> units = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
  app.add_option("--timeout", call.timeout_ms, "Gives up an operation after this time: 500ms, 5s, 1m")
      ->transform(CLI::AsNumberWithUnit(units))
      ->type_name("TIME");
}

// CLI11 takes [a,b] for a list where several values are allowed; here it is an id, or the name of a file. A
// mark at its end keeps it whole until it is stored.
constexpr char kMark = '\x1f';

bool is_bracketed(const std::string& argument) {
  const std::size_t last = argument.find_last_not_of(kMark);
  return argument.starts_with('[') && last != std::string::npos && argument[last] == ']';
}

std::vector<std::string> marked(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::string& argument : arguments) {
    if (is_bracketed(argument)) argument += kMark;
  }
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  return arguments;
}

void take_marks_off(CLI::App& app) {
  const CLI::Validator off(
      [](std::string& value) {
        if (is_bracketed(value) && value.back() == kMark) value.pop_back();
        return std::string();
      },
      "");
  for (CLI::Option* const option : app.get_options([](CLI::Option*) { return true; }))
    option->transform(off);
  for (CLI::App* const command : app.get_subcommands([](CLI::App*) { return true; }))
    take_marks_off(*command);
}

bool wants_json(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* argument) { return std::strcmp(argument, "--json") == 0; });
}

int report_usage(const CLI::App& app, const CLI::ParseError& error, bool json) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
  print_error("usage", std::string(error.what()) + " (sessile --help explains)", json);
  return kUsage;
}

int run_command(int argc, char** argv) {
  Call call;
  CLI::App app(kAbout, "sessile");
  app.footer(kExitCodes);
  app.set_version_flag("--version", SESSILE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  add_options(app, call);
  add_ls(app, call);
  add_show(app, call);
  add_save(app, call);
  add_append(app, call);
  add_rm(app, call);
  add_import(app, call);
  add_export(app, call);
  add_copy(app, call);
  add_conformance(app, call);
  add_prune(app, call);
  add_memory(app, call);
  add_log(app, call);
  add_verify(app, call);
  add_second_process(app, call);
  take_marks_off(app);
  try {
    app.parse(marked(argc, argv));
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, wants_json(argc, argv));
  }
  try {
    const int code = call.action();
    flush_output();
    return code;
  } catch (const UsageError& error) {
    print_error("usage", error.what(), call.json);
    return kUsage;
  }
}

}  // namespace
}  // namespace sessile::tools

int main(int argc, char** argv) {
  using namespace sessile::tools;
  // A reader that goes away must not end us in the middle of a write to the store: we see it as EPIPE.
  std::signal(SIGPIPE, SIG_IGN);
  try {
#ifdef SESSILE_HAS_POSTGRES
    sessile::register_postgres().value();
#endif
    return run_command(argc, argv);
  } catch (const OutputFailure& failure) {
    if (failure.cause == EPIPE) std::_Exit(128 + SIGPIPE);  // as if the signal had ended us
    print_error("io", failure.what(), wants_json(argc, argv));
    std::_Exit(kFailed);  // flushing stdout once more would fail again
  } catch (const std::exception& failure) {
    print_error("failed", failure.what(), wants_json(argc, argv));
    return kFailed;
  }
}
