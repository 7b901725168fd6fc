#include "command.hpp"
#include "progress.hpp"
#include "whole_number.hpp"

#include <sessile/retention.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <optional>

namespace sessile::tools {
namespace {

class PruneArguments {
 public:
  std::string ttl = "7d";
  std::uint64_t max = RetentionPolicy().max_sessions();
  bool dry_run = false;
};

constexpr std::int64_t kLongestTtlHours = 24 * 366 * 1000;

/// A number without a unit is refused, but for 0: taken for the wrong unit it would remove what was to stay.
std::chrono::microseconds parse_ttl(const std::string& text) {
  std::int64_t number = -1;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  const bool valid = error == std::errc() && number >= 0 && number <= kLongestTtlHours;
  if (valid && unit.empty() && number == 0) return std::chrono::microseconds(0);
  if (valid && unit == "s") return std::chrono::seconds(number);
  if (valid && unit == "m") return std::chrono::minutes(number);
  if (valid && unit == "h") return std::chrono::hours(number);
  if (valid && unit == "d" && number <= kLongestTtlHours / 24) return std::chrono::hours(24 * number);
  throw UsageError("--ttl: '" + text + "' is no age; write 7d, 12h, 30m, 90s, or 0 for any age");
}

json::object to_json(const PruneItem& item) {
  json::object object;
  object["id"] = item.id.str();
  object["updated_at"] = item.updated_at.text();
  object["bytes"] = item.stored_bytes;
  object["reason"] = std::string(name(item.reason));
  return object;
}

json::array to_json(const std::vector<PruneItem>& items) {
  json::array array;
  for (const PruneItem& item : items)
    array.push_back(to_json(item));
  return array;
}

json::array to_json(const std::vector<Error>& errors) {
  json::array array;
  for (const Error& error : errors)
    array.push_back(tools::to_json(error));
  return array;
}

void print_as_json(const PruneReport& report) {
  json::object object;
  object["removed"] = to_json(report.removed);
  object["would_remove"] = to_json(report.would_remove);
  object["kept"] = report.kept;
  json::array& written = object["kept_as_written"].emplace_array();
  for (const SessionId& id : report.kept_as_written)
    written.emplace_back(id.str());
  object["failed"] = to_json(report.failed);
  object["unreadable"] = to_json(report.unreadable);
  if (report.stopped) object["stopped"] = tools::to_json(*report.stopped);
  print_json(object);
}

void print_items(std::string_view what, const std::vector<PruneItem>& items) {
  for (const PruneItem& item : items) {
    print_line(std::string(what) + " " + visible(item.id.str()) + "  " + item.updated_at.text() + "  " +
               std::string(name(item.reason)));
  }
}

void print_for_people(const PruneReport& report, bool dry_run) {
  print_items("removed", report.removed);
  print_items("would remove", report.would_remove);
  for (const SessionId& id : report.kept_as_written)
    print_note("kept " + visible(id.str()) + ": it was written meanwhile");
  for (const Error& error : report.unreadable)
    print_note("kept, unreadable: " + error.message());
  const std::size_t count = report.removed.size() + report.would_remove.size();
  print_line(std::to_string(count) + (dry_run ? " would be removed, " : " removed, ") +
             std::to_string(report.kept) + " kept");
}

int prune(Call& call, const PruneArguments& arguments) {
  const RetentionPolicy policy = RetentionPolicy().ttl(parse_ttl(arguments.ttl)).max_sessions(arguments.max);
  std::optional<Progress> progress;
  PruneOptions options = call.with_timeout(PruneOptions());
  if (arguments.dry_run) options.dry_run();
  options.progress([&progress](std::uint64_t, std::uint64_t all) {
    if (!progress) progress.emplace("pruning", all);
    progress->step();
  });
  const Result<PruneReport> report = blocking::wait(sessile::prune(call.open(), policy, options));
  progress.reset();
  if (!report) return call.fail(report.error());
  if (call.json) {
    print_as_json(*report);
  } else {
    print_for_people(*report, arguments.dry_run);
  }
  int code = kOk;
  for (const Error& error : report->failed) {
    const int failure = call.fail(error);
    if (code == kOk) code = failure;
  }
  return report->stopped ? call.fail(*report->stopped) : code;
}

}  // namespace

void add_prune(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<PruneArguments>();
  CLI::App* command = app.add_subcommand("prune", "Removes old sessions: by age, then all but the newest");
  command->footer(
      "Pinned sessions (metadata.pinned) stay, and so does one that is written meanwhile.\n"
      "Example: sessile --store jsondir:sessions prune --ttl 30d --max 500 --dry-run");
  command
      ->add_option("--ttl", arguments->ttl, "Those as old as this go: 90s, 30m, 12h, 7d; 0: at any age stay")
      ->capture_default_str()
      ->type_name("AGE");
  command->add_option("--max", arguments->max, "Of the others the newest so many stay; 0: all")
      ->check(whole_number())
      ->capture_default_str();
  command->add_flag("--dry-run", arguments->dry_run, "Only says what would go, and why");
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return prune(call, *arguments); }; });
}

}  // namespace sessile::tools
