#include "command.hpp"
#include "rendering.hpp"

#include <sessile/json.hpp>
#include <sessile/session_log.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

json::object to_json(const SkippedPart& part) {
  json::object object;
  object["line"] = part.line;
  object["offset"] = part.offset;
  object["bytes"] = part.bytes;
  object["reason"] = std::string(name(part.reason));
  return object;
}

/// How many parts are missing that the log does not list.
std::uint64_t left_out(const LoadedLog& log) {
  return log.skipped_count - log.skipped.size();
}

void print_as_json(const LoadedLog& log) {
  print_json(json::object{{"meta", log.meta}});
  for (const Message& turn : log.turns)
    print_json_line(encode_message(turn));
  for (const SkippedPart& part : log.skipped)
    print_json(json::object{{"skipped", to_json(part)}});
  if (left_out(log) > 0) print_json(json::object{{"more_skipped", left_out(log)}});
}

void print_for_people(const std::string& file, LoadedLog log) {
  const std::uint64_t more = left_out(log);
  Session session{SessionId(file)};
  session.metadata = std::move(log.meta);
  session.messages = std::move(log.turns);
  print(rendered(session));
  for (const SkippedPart& part : log.skipped) {
    print_note("left out line " + std::to_string(part.line) + ", byte " + std::to_string(part.offset) + ", " +
               std::to_string(part.bytes) + " bytes: " + std::string(name(part.reason)));
  }
  if (more > 0) print_note("and " + std::to_string(more) + " parts more");
}

int show(Call& call, const std::string& file) {
  SessionLog log(file, json::object(), call.with_timeout(LogOptions()));
  Result<LoadedLog> loaded = blocking::wait(log.load());
  if (!loaded) return call.fail(loaded.error());
  if (call.json) {
    print_as_json(*loaded);
  } else {
    print_for_people(file, std::move(*loaded));
  }
  return kOk;
}

}  // namespace

void add_log(CLI::App& app, Call& call) {
  auto file = std::make_shared<std::string>();
  CLI::App* log = app.add_subcommand("log", "Sessions kept as plain JSONL files, a line a turn");
  log->require_subcommand(1);
  log->fallthrough();
  CLI::App* showing = log->add_subcommand("show", "Prints a log, and what of it cannot be read");
  showing->footer("Example: sessile log show session.jsonl");
  showing->add_option("FILE", *file, "The log")->required();
  showing->callback([&call, file] { call.action = [&call, file] { return show(call, *file); }; });
}

}  // namespace sessile::tools
