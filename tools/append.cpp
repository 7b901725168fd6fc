#include "command.hpp"
#include "input.hpp"
#include "whole_number.hpp"

#include <sessile/blocking.hpp>
#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

class AppendArguments {
 public:
  std::string id;
  std::string key;
  std::optional<Revision> if_revision;
};

// What is wrong with a message, which was read by itself, in the lines of stdin.
Error in_line(const Error& error, std::size_t number) {
  std::string detail = error.detail();
  constexpr std::string_view kFirstLine = "line 1,";
  const std::string here = "line " + std::to_string(number);
  const std::size_t at = detail.find(kFirstLine);
  if (at == std::string::npos)
    detail = here + ": " + detail;
  else
    detail.replace(at, kFirstLine.size(), here + ",");
  return Error(error.code(), detail);
}

// All or nothing: one line that is no message refuses them all.
Result<std::vector<Message>> decode_lines(std::string_view text, const Limits& limits) {
  std::vector<Message> messages;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Result<Message> message = decode_message(line, Origin::caller, limits);
    if (!message) return in_line(message.error(), number);
    messages.push_back(std::move(*message));
  }
  return messages;
}

int append(Call& call, const AppendArguments& arguments) {
  const StorePtr store = call.open();
  const Limits limits = store->capabilities().limits;
  const Result<std::string> text = read_input("messages, one JSON object a line", limits.session_bytes);
  if (!text) return call.fail(text.error());
  Result<std::vector<Message>> messages = decode_lines(*text, limits);
  if (!messages) return call.fail(messages.error());
  const std::size_t count = messages->size();
  AppendOptions options = call.with_timeout(AppendOptions()).idempotency_key(arguments.key);
  if (arguments.if_revision) options.if_revision(*arguments.if_revision);
  const Result<Written> written = blocking::append(*store, arguments.id, std::move(*messages), options);
  if (!written) return call.fail(written.error());
  if (call.json) {
    json::object object = to_json(*written);
    object["session_id"] = arguments.id;
    object["appended"] = written->replayed ? 0 : count;
    print_json(object);
  } else if (written->replayed) {
    print_line("already appended under that key, at revision " + std::to_string(written->revision));
  } else {
    print_line("appended " + std::to_string(count) + ", revision " + std::to_string(written->revision));
  }
  return kOk;
}

}  // namespace

void add_append(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<AppendArguments>();
  CLI::App* command =
      app.add_subcommand("append", "Adds the messages on stdin, one JSON object a line, all or none of them");
  command->footer(
      "Example: echo '{\"role\":\"user\",\"content\":\"Go on\"}' | sessile --store jsondir:sessions append "
      "demo --key 17");
  command->add_option("ID", arguments->id, "The session")->required();
  command->add_option("--key", arguments->key,
                      "Makes it safe to try again: a key that was used adds nothing");
  command->add_option("--if-revision", arguments->if_revision, "Only when this revision is stored")
      ->check(whole_number())
      ->type_name("N");
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return append(call, *arguments); }; });
}

}  // namespace sessile::tools
