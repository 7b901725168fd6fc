#include "command.hpp"

#include <sessile/blocking.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

// Goes on after a failure; the first one decides the exit code.
int remove(Call& call, const std::vector<std::string>& ids) {
  const StorePtr store = call.open();
  int code = kOk;
  for (const std::string& id : ids) {
    const Result<void> removed = blocking::remove(*store, id, call.with_timeout(RemoveOptions()));
    if (!removed) {
      const int failure = call.fail(removed.error());
      if (code == kOk) code = failure;
    } else if (call.json) {
      print_json(json::object{{"removed", id}});
    } else {
      print_line("removed " + visible(id));
    }
  }
  return code;
}

}  // namespace

void add_rm(CLI::App& app, Call& call) {
  auto ids = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("rm", "Removes sessions");
  command->footer("Example: sessile --store jsondir:sessions rm demo other");
  command->add_option("ID", *ids, "The sessions")->required();
  command->callback([&call, ids] { call.action = [&call, ids] { return remove(call, *ids); }; });
}

}  // namespace sessile::tools
