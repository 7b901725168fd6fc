#include "command.hpp"
#include "whole_number.hpp"

#include <sessile/memory_log.hpp>

#include <CLI/CLI.hpp>

#include <optional>

namespace sessile::tools {
namespace {

class MemoryArguments {
 public:
  std::string file;
  std::string kind, content, source;
  std::vector<std::string> tags;
  std::vector<MemoryId> ids;
  std::string only_kind, only_tag;
  std::size_t limit = 0;
};

json::object to_json(const MemoryItem& item) {
  json::object object;
  object["id"] = item.id;
  object["kind"] = std::string(name(item.note.kind));
  object["content"] = item.note.content;
  object["created_at"] = item.created_at.text();
  json::array& tags = object["tags"].emplace_array();
  for (const std::string& tag : item.note.tags)
    tags.emplace_back(tag);
  object["source"] = item.note.source;
  return object;
}

void print_item(const MemoryItem& item) {
  std::string line = std::to_string(item.id) + "  " + std::string(name(item.note.kind)) + "  " +
                     item.created_at.text().substr(0, 10) + "  " + visible(item.note.content);
  for (const std::string& tag : item.note.tags)
    line += "  #" + visible(tag);
  print_line(line);
}

MemoryKind kind_of(const std::string& text) {
  const Result<MemoryKind> kind = parse_memory_kind(text);
  if (!kind) throw UsageError(kind.error().detail());
  return *kind;
}

Async<MemoryLog> open(const Call& call, const MemoryArguments& arguments) {
  LogOptions options = call.with_timeout(LogOptions());
  if (call.durability == "process") options.durability(Durability::process);
  if (call.durability == "none") options.durability(Durability::none);
  return MemoryLog::open(arguments.file, options);
}

int add(Call& call, const MemoryArguments& arguments) {
  MemoryNote note(kind_of(arguments.kind), arguments.content);
  note.tags = arguments.tags;
  note.source = arguments.source;
  Result<MemoryLog> memory = blocking::wait(open(call, arguments));
  if (!memory) return call.fail(memory.error());
  const Result<MemoryItem> item = blocking::wait(memory->add(std::move(note)));
  if (!item) return call.fail(item.error());
  if (call.json)
    print_json(to_json(*item));
  else
    print_line("remembered " + std::to_string(item->id));
  return kOk;
}

int forget_all(Call& call, const MemoryArguments& arguments) {
  Result<MemoryLog> memory = blocking::wait(open(call, arguments));
  if (!memory) return call.fail(memory.error());
  int code = kOk;
  for (const MemoryId id : arguments.ids) {
    Result<bool> forgotten = blocking::wait(memory->forget(id));
    if (forgotten && !*forgotten) {
      forgotten = Error(Errc::not_found, "there is no such item").with_key(std::to_string(id));
    }
    if (!forgotten) {
      const int failure = call.fail(forgotten.error());
      if (code == kOk) code = failure;
    } else if (call.json) {
      print_json(json::object{{"forgotten", id}});
    } else {
      print_line("forgot " + std::to_string(id));
    }
  }
  return code;
}

int list(Call& call, const MemoryArguments& arguments) {
  MemoryQuery query;
  query.limit(arguments.limit);
  if (!arguments.only_kind.empty()) query.kind(kind_of(arguments.only_kind));
  if (!arguments.only_tag.empty()) query.tag(arguments.only_tag);
  Result<MemoryLog> memory = blocking::wait(open(call, arguments));
  if (!memory) return call.fail(memory.error());
  const Result<std::vector<MemoryItem>> items = blocking::wait(memory->list(query));
  if (!items) return call.fail(items.error());
  for (const MemoryItem& item : *items) {
    if (call.json)
      print_json(to_json(item));
    else
      print_item(item);
  }
  return kOk;
}

int compact(Call& call, const MemoryArguments& arguments) {
  Result<MemoryLog> memory = blocking::wait(open(call, arguments));
  if (!memory) return call.fail(memory.error());
  const Result<CompactReport> report = blocking::wait(memory->compact());
  if (!report) return call.fail(report.error());
  if (call.json) {
    print_json(json::object{{"bytes_before", report->bytes_before}, {"bytes_after", report->bytes_after}});
  } else {
    print_line(std::to_string(report->bytes_before) + " bytes became " + std::to_string(report->bytes_after));
  }
  return kOk;
}

using Arguments = std::shared_ptr<MemoryArguments>;
using Action = int (*)(Call&, const MemoryArguments&);

CLI::App* add_action(CLI::App& memory, const char* name, const char* about, Call& call,
                     const Arguments& arguments, Action action) {
  CLI::App* command = memory.add_subcommand(name, about);
  command->callback([&call, arguments, action] {
    call.action = [&call, arguments, action] { return action(call, *arguments); };
  });
  return command;
}

}  // namespace

void add_memory(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<MemoryArguments>();
  CLI::App* memory = app.add_subcommand("memory", "What an agent remembers across sessions, in one file");
  memory->footer(
      "One at a time has the file open; exit code 5 and its pid and host say who.\n"
      "Example: sessile memory --file memory.jsonl add fact 'The harbour faces north.' --tag places");
  memory->require_subcommand(1);
  memory->fallthrough();
  memory->add_option("--file", arguments->file, "The memory's file")
      ->envname("SESSILE_MEMORY")
      ->required()
      ->type_name("FILE");
  CLI::App* adding = add_action(*memory, "add", "Remembers something", call, arguments, add);
  adding->add_option("KIND", arguments->kind, "fact, pref or context")->required();
  adding->add_option("CONTENT", arguments->content, "What to remember")->required();
  adding->add_option("--tag", arguments->tags, "May be given several times")->allow_extra_args(false);
  adding->add_option("--source", arguments->source, "Where it is from");
  CLI::App* forgetting = add_action(*memory, "forget", "Forgets items", call, arguments, forget_all);
  forgetting->add_option("ID", arguments->ids, "Their numbers")->required()->check(whole_number());
  CLI::App* listing = add_action(*memory, "ls", "Lists items, the newest first", call, arguments, list);
  listing->add_option("--kind", arguments->only_kind, "Only this kind");
  listing->add_option("--tag", arguments->only_tag, "Only those with this tag");
  listing->add_option("--limit", arguments->limit, "At most so many; 0: all")
      ->check(whole_number())
      ->capture_default_str();
  add_action(*memory, "compact", "Rewrites the file without what was forgotten", call, arguments, compact);
}

}  // namespace sessile::tools
