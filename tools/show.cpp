#include "command.hpp"
#include "rendering.hpp"
#include "whole_number.hpp"

#include <sessile/blocking.hpp>
#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

class ShowArguments {
 public:
  std::string id;
  std::optional<std::uint64_t> last;
};

int show(Call& call, const ShowArguments& arguments) {
  const StorePtr store = call.open();
  LoadOptions options = call.with_timeout(LoadOptions());
  if (arguments.last) options.last_messages(*arguments.last);
  const Result<SessionPtr> session = blocking::load(*store, arguments.id, options);
  if (!session) return call.fail(session.error());
  if (call.json)
    print_json_line(encode_session(**session));
  else
    print(rendered(**session));
  return kOk;
}

}  // namespace

void add_show(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command =
      app.add_subcommand("show", "Shows one session, readable; with --json its whole document");
  command->footer("Example: sessile --store jsondir:sessions show demo --last 5");
  command->add_option("ID", arguments->id, "The session")->required();
  command->add_option("--last", arguments->last, "Only the last N messages")
      ->check(whole_number())
      ->type_name("N");
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return show(call, *arguments); }; });
}

}  // namespace sessile::tools
