#include "command.hpp"
#include "progress.hpp"

#include <sessile/copy.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

class CopyArguments {
 public:
  std::string target;
  bool verify_only = false;
};

void show(const CopyReport& report, bool verify_only, bool as_json) {
  if (as_json) {
    return print_json(json::object{{"copied", report.copied},
                                   {"recopied", report.recopied},
                                   {"unchanged", report.unchanged},
                                   {"sessions", report.sessions},
                                   {"verified", report.verified},
                                   {"extra", report.extra},
                                   {"failed", report.failed.size()}});
  }
  std::string line;
  if (!verify_only) {
    line = "copied " + std::to_string(report.copied) + ", recopied " + std::to_string(report.recopied) +
           ", unchanged " + std::to_string(report.unchanged) + ", ";
  }
  line += "verified " + std::to_string(report.verified) + " of " + std::to_string(report.sessions) +
          ", failed " + std::to_string(report.failed.size());
  if (report.extra > 0) line += "; the target has " + std::to_string(report.extra) + " more";
  print_line(line);
}

int copy_store(Call& call, const CopyArguments& arguments) {
  if (arguments.target == call.store_url) throw UsageError("--to names the store itself");
  const StorePtr from = call.open();
  const StorePtr to = call.open(arguments.target);
  Result<CopyReport> report = [&] {
    std::optional<Progress> bar;
    CopyOptions options;
    options.timeout(std::chrono::milliseconds(call.timeout_ms));
    if (arguments.verify_only) options.verify_only();
    options.progress([&](std::uint64_t, std::uint64_t total) {
      if (!bar) bar.emplace(arguments.verify_only ? "verifying" : "copying", total);
      bar->step();
    });
    return blocking::wait(sessile::copy(from, to, std::move(options)));
  }();
  if (!report) return call.fail(report.error());
  int code = kOk;
  for (const Error& error : report->failed) {
    const int failure = call.fail(error);
    if (code == kOk) code = failure;
  }
  show(*report, arguments.verify_only, call.json);
  return code;
}

}  // namespace

void add_copy(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<CopyArguments>();
  CLI::App* command = app.add_subcommand(
      "copy", "Copies every session to another store and compares; may be run again, and then goes on");
  command->footer(
      "Each session is read back and compared by hash, then both listings are. What is there already and "
      "the\n"
      "same is left; what the source updated since is copied again; what else differs is a conflict, and "
      "left.\n"
      "What cannot be read is reported, and the rest copied: the exit code is then that of the first "
      "failure.\n"
      "Example: sessile --store jsondir:sessions copy --to file:/mnt/backup");
  command->add_option("--to", arguments->target, "URL of the other store")->required()->type_name("URL");
  command->add_flag("--verify-only", arguments->verify_only, "Compares, and writes nothing");
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return copy_store(call, *arguments); }; });
}

}  // namespace sessile::tools
