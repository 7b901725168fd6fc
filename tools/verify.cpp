#include "command.hpp"
#include "progress.hpp"

#include <sessile/documents.hpp>
#include <sessile/memory_log.hpp>
#include <sessile/session_log.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace sessile::tools {
namespace {

class Asked {
 public:
  bool repair = false;
  std::string documents;
  std::vector<std::string> logs;
  std::vector<std::string> memories;
};

json::object to_json(const Finding& finding) {
  json::object object;
  object["kind"] = json::string_view(name(finding.kind));
  object["damage"] = is_damage(finding.kind);
  object["path"] = text_for_json(finding.path);
  if (finding.offset) object["offset"] = *finding.offset;
  if (!finding.key.empty()) object["key"] = text_for_json(finding.key);
  object["detail"] = visible(finding.detail);
  object["repaired"] = finding.repaired;
  if (!finding.quarantine.empty()) object["quarantine"] = text_for_json(finding.quarantine);
  if (finding.failure) object["failure"] = visible(finding.failure->message());
  object["remedy"] = visible(finding.remedy());
  return object;
}

void show(const Finding& finding) {
  std::string line(name(finding.kind));
  line += ": " + visible(finding.path);
  if (finding.offset) line += ", byte " + std::to_string(*finding.offset);
  line += "\n  " + visible(finding.detail);
  if (finding.failure) line += "\n  could not be repaired: " + visible(finding.failure->message());
  print_line(line + "\n  " + visible(finding.remedy()));
}

bool left(const Finding& finding) {
  return is_damage(finding.kind) && !finding.repaired;
}
bool unjudged(const Finding& finding) {
  return finding.kind == FindingKind::busy || finding.kind == FindingKind::newer_format ||
         finding.kind == FindingKind::too_large;
}

void sum_up(const VerifyReport& report, bool as_json) {
  const auto count = [&report](auto test) {
    return static_cast<std::uint64_t>(std::count_if(report.findings.begin(), report.findings.end(), test));
  };
  const auto damaged = count([](const Finding& finding) { return is_damage(finding.kind); });
  const auto repaired = count([](const Finding& finding) { return finding.repaired; });
  const auto damage_left = count(left);
  if (as_json) {
    json::object total{{"checked", report.checked},  {"findings", report.findings.size()},
                       {"damaged", damaged},         {"repaired", repaired},
                       {"damage_left", damage_left}, {"not_judged", count(unjudged)},
                       {"complete", report.complete}};
    print_json(json::object{{"total", std::move(total)}});
    return;
  }
  std::string line = "checked " + std::to_string(report.checked) + ": ";
  if (report.findings.empty()) return print_line(line + "all is as it should be");
  line += std::to_string(report.findings.size()) + " found, " + std::to_string(damaged) + " of it damage";
  if (repaired > 0) line += "; repaired " + std::to_string(repaired);
  if (damage_left == 0 && damaged > 0) line += ", no damage is left";
  if (!report.complete) line += "; it did not come to its end: what was repaired stays, run it again";
  if (damage_left > 0 && repaired == 0) line += "; --repair mends what can be mended, and destroys nothing";
  print_line(line);
}

int code_of(const VerifyReport& report) {
  if (std::any_of(report.findings.begin(), report.findings.end(), left)) return kCorrupt;
  if (!report.complete || std::any_of(report.findings.begin(), report.findings.end(), unjudged))
    return kFailed;
  return kOk;
}

/// A bar that is drawn when the total is known.
class Watched {
 public:
  VerifyOptions options(const Call& call, bool repair) {
    VerifyOptions made = call.with_timeout(VerifyOptions());
    made.repair(repair).progress([this](std::uint64_t, std::uint64_t total) {
      if (!bar_) bar_.emplace("checking", total);
      bar_->step();
    });
    return made;
  }

 private:
  std::optional<Progress> bar_;
};

/// Adds what is found to `all`. The exit code of the first check that could not be made; empty: all were.
std::optional<int> check(Call& call, const Asked& asked, VerifyReport& all) {
  const auto add = [&](auto check) -> std::optional<int> {
    Result<VerifyReport> report = [&] {
      Watched watched;
      return blocking::wait(check(watched.options(call, asked.repair)));
    }();
    if (!report) return call.fail(report.error());
    all.add(std::move(*report));
    return std::nullopt;
  };
  const bool only_named = !asked.documents.empty() || !asked.logs.empty() || !asked.memories.empty();
  if (!call.store_url.empty() || !only_named) {
    const StorePtr store = call.open();
    if (auto failed = add([&](VerifyOptions options) { return store->verify(std::move(options)); }))
      return failed;
  }
  if (!asked.documents.empty()) {
    auto documents = open_documents(asked.documents);
    if (!documents) return call.fail(documents.error());
    if (auto failed = add([&](VerifyOptions options) { return documents->verify(std::move(options)); })) {
      return failed;
    }
  }
  for (const std::string& file : asked.logs) {
    SessionLog log(file);
    if (auto failed = add([&](VerifyOptions options) { return log.verify(std::move(options)); }))
      return failed;
  }
  for (const std::string& file : asked.memories) {
    if (auto failed =
            add([&](VerifyOptions options) { return MemoryLog::verify(file, std::move(options)); })) {
      return failed;
    }
  }
  return std::nullopt;
}

int verify(Call& call, const Asked& asked) {
  VerifyReport all;
  // What was found, and repaired, before a check that fails is told all the same.
  const std::optional<int> failed = check(call, asked, all);
  for (const Finding& finding : all.findings) {
    if (call.json) {
      print_json(to_json(finding));
    } else {
      show(finding);
    }
  }
  if (!failed || all.checked > 0) sum_up(all, call.json);
  const int code = code_of(all);
  return failed && code != kCorrupt ? *failed : code;
}

}  // namespace

void add_verify(CLI::App& app, Call& call) {
  auto asked = std::make_shared<Asked>();
  CLI::App* command =
      app.add_subcommand("verify", "Reads all that is stored, and tells what is damaged and where");
  command->footer(
      "It may run beside programs that use the store: it takes the locks they take. A torn or leftover file "
      "is\n"
      "what a crash leaves behind; no reader minds it. Damage is what cannot be read.\n\n"
      "--repair keeps a damaged log up to the last record that can be read (or from the next whole snapshot "
      "on),\n"
      "moves what cannot be read to the directory quarantine, with a file that says why beside it, removes "
      "the\n"
      "temporary files of dead writers, and makes the index anew. It destroys nothing, and a second run "
      "finds\n"
      "only what it may not touch: links, what cannot be opened, newer formats, what is over a limit or in "
      "use.\n"
      "Copy the directory first when you can.\n\n"
      "Exit codes: 0 no damage, or all of it repaired; 6 damage is left; 1 something could not be judged (in "
      "use,\n"
      "a newer format, over a limit).\n\n"
      "  sessile --store jsondir:sessions verify\n"
      "  sessile --store jsondir:sessions verify --repair\n"
      "  sessile verify --documents state --log session.jsonl --memory memory.jsonl");
  command->add_flag("--repair", asked->repair, "Mends what can be mended");
  command->add_option("--documents", asked->documents, "Checks the documents below this directory as well")
      ->type_name("DIR");
  command->add_option("--log", asked->logs, "Checks this session's log as well")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--memory", asked->memories, "Checks this memory as well")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->callback([&call, asked] { call.action = [&call, asked] { return verify(call, *asked); }; });
}

}  // namespace sessile::tools
