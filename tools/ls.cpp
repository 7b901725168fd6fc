#include "command.hpp"
#include "whole_number.hpp"

#include <sessile/blocking.hpp>
#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>

namespace sessile::tools {
namespace {

constexpr std::size_t kDefaultLimit = 50;

class LsOptions {
 public:
  std::optional<std::string> agent, user, project;
  std::string since;
  std::size_t limit = kDefaultLimit;
  bool all = false;
};

TimePoint parse_since(const std::string& text) {
  const bool date_alone = text.size() == 10;
  const std::optional<TimePoint> time = parse_time(date_alone ? text + "T00:00:00Z" : text);
  if (!time) throw UsageError("--since: '" + text + "' is no time; write 2026-11-20 or 2026-11-20T09:30:00Z");
  return *time;
}

ListQuery query_of(const LsOptions& options) {
  ListQuery query;
  if (options.agent) query.agent(*options.agent);
  if (options.user) query.user(*options.user);
  if (options.project) query.project(*options.project);
  if (!options.since.empty()) query.updated_since(parse_since(options.since));
  return query;
}

std::string padded(const std::string& text, std::size_t columns) {
  const std::string shown = shortened(text, columns);
  return shown + std::string(columns - std::min(columns, width(shown)), ' ');
}

void print_heading() {
  print_line(padded("ID", 36) + "  " + padded("UPDATED", 19) + "  " + padded("AGENT", 12) +
             "  MESSAGES  TITLE");
}

// The id is never cut: it is what the other commands take.
void print_row(const SessionSummary& summary) {
  const std::string id = visible(summary.id.str());
  const std::string count = std::to_string(summary.message_count);
  std::string line = id + std::string(36 - std::min<std::size_t>(36, width(id)), ' ') + "  ";
  line += padded(summary.updated_at.text().substr(0, 19), 19) + "  ";
  line += padded(visible(summary.agent_id.str()), 12) + "  ";
  line += std::string(8 - std::min<std::size_t>(8, count.size()), ' ') + count + "  ";
  line += shortened(visible(summary.title), 60);
  print_line(line);
}

class Listing {
 public:
  Listing(Call& call, const LsOptions& options)
      : call_(call), options_(options), store_(call.open()), query_(call.with_timeout(query_of(options))) {}

  int run() {
    for (std::size_t left = options_.all ? SIZE_MAX : options_.limit; left > 0;) {
      // A store of files looks at all of its sessions for each page.
      const Result<Page<SessionSummary>> page =
          blocking::list(*store_, query_.limit(std::min(left, kMaxPageSize)));
      if (!page) return call_.fail(page.error());
      for (const SessionSummary& summary : page->items)
        show(summary);
      for (const Error& error : page->unreadable)
        complain(error);
      left -= std::min(left, page->items.size());
      query_.cursor(page->next);
      if (page->next.empty()) break;
    }
    if (!query_.cursor().empty() && !call_.json) print_note("there are more; --limit N or --all shows them");
    return shown_ == 0 && unreadable_ > 0 ? kCorrupt : kOk;
  }

 private:
  void show(const SessionSummary& summary) {
    if (shown_++ == 0 && !call_.json) print_heading();
    if (call_.json)
      print_json_line(encode_summary(summary));
    else
      print_row(summary);
  }
  void complain(const Error& error) {
    ++unreadable_;
    if (call_.json)
      print_json(json::object{{"unreadable", to_json(error)}});
    else
      print_note("unreadable: " + error.message());
  }

  Call& call_;
  const LsOptions& options_;
  const StorePtr store_;
  ListQuery query_;
  std::size_t shown_ = 0;
  std::size_t unreadable_ = 0;
};

}  // namespace

void add_ls(CLI::App& app, Call& call) {
  auto options = std::make_shared<LsOptions>();
  CLI::App* command = app.add_subcommand("ls", "Lists sessions, the newest first");
  command->footer(
      "What cannot be read is told beside the others; the exit code is 6 when nothing else is there.\n"
      "Example: sessile --store jsondir:sessions ls --agent codex --since 2026-11-01");
  command->add_option("--agent", options->agent, "Only this agent's");
  command->add_option("--user", options->user, "Only this user's");
  command->add_option("--project", options->project, "Only this project's; an empty name: of none");
  command->add_option("--since", options->since, "Only those updated at this time or later")
      ->type_name("TIME");
  CLI::Option* limit =
      command->add_option("--limit", options->limit, "At most so many")->capture_default_str();
  limit->check(whole_number())->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}));
  command->add_flag("--all", options->all, "All of them")->excludes(limit);
  command->callback(
      [&call, options] { call.action = [&call, options] { return Listing(call, *options).run(); }; });
}

}  // namespace sessile::tools
