#include "command.hpp"
#include "progress.hpp"

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

int copy_store(Call& call, const std::string& target) {
  const StorePtr from = call.open();
  const StorePtr to = call.open(target);
  Result<CopyReport> report = [&] {
    Progress progress("copying", 0);
    return run(sessile::copy(from, to, [&progress](const SessionSummary&) { progress.step(); }));
  }();
  if (!report) return call.fail(report.error());
  int code = kOk;
  for (const Error& error : report->failed) {
    const int failure = call.fail(error);
    if (code == kOk) code = failure;
  }
  if (call.json) {
    print_json(json::object{
        {"copied", report->copied}, {"unchanged", report->unchanged}, {"failed", report->failed.size()}});
  } else {
    print_line("copied " + std::to_string(report->copied) + ", unchanged " +
               std::to_string(report->unchanged) + ", failed " + std::to_string(report->failed.size()));
  }
  return code;
}

}  // namespace

void add_copy(CLI::App& app, Call& call) {
  auto target = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("copy", "Copies every session to another store; may be run again");
  command->footer(
      "A session that is there already is left; one that differs is a conflict, and left too.\n"
      "Example: sessile --store jsondir:sessions copy --to file:/mnt/backup");
  command->add_option("--to", *target, "URL of the other store")->required()->type_name("URL");
  command->callback([&call, target] { call.action = [&call, target] { return copy_store(call, *target); }; });
}

}  // namespace sessile::tools
