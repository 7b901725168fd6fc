#include "command.hpp"
#include "progress.hpp"
#include "second_process.hpp"
#include "session_files.hpp"

#include <sessile/blocking.hpp>
#include <sessile/conformance.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

using conformance::Outcome;
using conformance::Report;

std::string_view word(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::passed:
      return "passed";
    case Outcome::failed:
      return "FAILED";
    case Outcome::skipped:
      return "skipped";
  }
  return {};
}

// Hooks that make no sense for a store are left out: the suite then reports what needs them as skipped.
conformance::Harness harness_for(const Call& call) {
  conformance::Harness harness;
  const auto open = [&call](OpenOptions options) {
    return call.try_open(call.store_url, std::move(options));
  };
  harness.open = open;
  if (call.open()->capabilities().reach == Reach::process) return harness;
  harness.reopen = open;
  if (const auto directory = directory_of(call.store_url)) {
    harness.corrupt = [directory = *directory](SessionId id) { return damage_session(directory, id); };
    harness.discard = [directory = *directory](SessionId id) { return discard_session(directory, id); };
  }
  harness.second_process = [&call](std::string command, std::vector<std::string> arguments) {
    return run_second_process(call.store_url, call.durability, command, arguments);
  };
  return harness;
}

void show(const Report& report, bool as_json) {
  if (as_json) {
    std::string outcome(word(report.outcome));
    std::transform(outcome.begin(), outcome.end(), outcome.begin(), [](char c) { return c | ' '; });
    print_json(json::object{{"group", report.group},
                            {"name", report.name},
                            {"outcome", outcome},
                            {"reason", visible(report.reason)}});
    return;
  }
  std::string line(word(report.outcome));
  line.append(9 - line.size(), ' ');
  line += report.group + ": " + report.name;
  if (!report.reason.empty()) line += "\n         " + visible(report.reason);
  print_line(line);
}

int conform(Call& call) {
  const conformance::Harness harness = harness_for(call);
  std::map<Outcome, std::size_t> counts;
  {
    Progress progress("behaviours", conformance::behaviours().size());
    conformance::run_all(harness, [&](const Report& report) {
      progress.clear();
      show(report, call.json);
      ++counts[report.outcome];
      progress.step();
    });
  }
  if (call.json) {
    print_json(json::object{{"total", json::object{{"passed", counts[Outcome::passed]},
                                                   {"failed", counts[Outcome::failed]},
                                                   {"skipped", counts[Outcome::skipped]}}}});
  } else {
    print_line(std::to_string(counts[Outcome::passed]) + " passed, " +
               std::to_string(counts[Outcome::failed]) + " failed, " +
               std::to_string(counts[Outcome::skipped]) + " skipped");
  }
  return counts[Outcome::failed] > 0 ? kFailed : kOk;
}

}  // namespace

void add_conformance(CLI::App& app, Call& call) {
  CLI::App* command =
      app.add_subcommand("conformance", "Runs the conformance suite on the store, which must be empty");
  command->footer(
      "What a store does not claim is skipped, and not passed. The exit code is 1 when anything failed.\n"
      "Example: sessile --store jsondir:/tmp/empty conformance");
  command->callback([&call] { call.action = [&call] { return conform(call); }; });
}

}  // namespace sessile::tools
