#include "command.hpp"
#include "input.hpp"
#include "whole_number.hpp"

#include <sessile/blocking.hpp>
#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

class SaveArguments {
 public:
  bool if_absent = false;
  std::optional<Revision> if_revision;
};

void report(const SessionId& id, const Written& written, bool as_json) {
  if (!as_json)
    return print_line("saved " + visible(id.str()) + ", revision " + std::to_string(written.revision));
  json::object object = to_json(written);
  object["session_id"] = id.str();
  print_json(object);
}

int save(Call& call, const SaveArguments& arguments) {
  const StorePtr store = call.open();
  const Limits limits = store->capabilities().limits;
  const Result<std::string> text = read_input("a session's JSON", limits.session_bytes);
  if (!text) return call.fail(text.error());
  Result<Session> session = decode_session(*text, Origin::caller, limits);
  if (!session) return call.fail(session.error());
  SaveOptions options = call.with_timeout(SaveOptions());
  if (arguments.if_absent) options.if_absent();
  if (arguments.if_revision) options.if_revision(*arguments.if_revision);
  const SessionId id = session->id;
  const Result<Written> written = blocking::save(*store, std::move(*session), options);
  if (!written) return call.fail(written.error());
  report(id, *written, call.json);
  return kOk;
}

}  // namespace

void add_save(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<SaveArguments>();
  CLI::App* command =
      app.add_subcommand("save", "Saves the session whose JSON is on stdin, inserting or replacing");
  command->footer(
      "Example: echo '{\"session_id\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}' "
      "\\\n"
      "           | sessile --store jsondir:sessions save --if-absent\n"
      "What `show ID --json` prints can be edited and saved again.");
  CLI::Option* absent =
      command->add_flag("--if-absent", arguments->if_absent, "Only when the id is not taken");
  command->add_option("--if-revision", arguments->if_revision, "Only when this revision is stored")
      ->check(whole_number())
      ->excludes(absent)
      ->type_name("N");
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return save(call, *arguments); }; });
}

}  // namespace sessile::tools
