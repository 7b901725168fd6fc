#include "command.hpp"
#include "import/ingest.hpp"
#include "progress.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <map>
#include <set>

namespace sessile::tools {
namespace {

namespace fs = std::filesystem;

class ImportArguments {
 public:
  std::vector<std::string> paths;
  std::string format = "auto";
};

std::string shown_path(const fs::path& path) {
  return text_for_json(path.string());
}

class Import {
 public:
  Import(Call& call, const ImportArguments& arguments)
      : call_(call),
        format_(*importing::format_named(arguments.format)),
        store_(call.open()),
        limits_(store_->capabilities().limits) {
    for (const std::string& path : arguments.paths)
      find_files(path);
  }

  int run() {
    Progress progress("importing", files_.size());
    progress_ = &progress;
    for (const importing::TranscriptFile& file : files_) {
      import_file(file);
      progress.step();
    }
    progress.clear();
    print_totals();
    return code_;
  }

 private:
  void find_files(const std::string& path) {
    std::vector<importing::Unvisited> unvisited;
    const auto found = importing::transcript_files(path, unvisited);
    if (!found) return failed(found.error());
    for (const importing::Unvisited& place : unvisited)
      unread(place.path, place.reason);
    for (const importing::TranscriptFile& file : *found) {
      if (file.was_named()) named_.insert(file.path());
    }
    files_.insert(files_.end(), found->begin(), found->end());
  }

  void import_file(const importing::TranscriptFile& file) {
    const auto take = [this, &file](Session session, importing::Format format) {
      import_session(file.path(), std::move(session), format);
    };
    const Result<importing::FileReport> report = importing::read_transcript(file, format_, limits_, take);
    progress_->clear();
    if (report) return describe(*report);
    // In a folder lies much that is no transcript; a file that was named is meant.
    const Error error = report.error();
    if (error.code() == Errc::unsupported && !named_.contains(file.path()))
      return unread(shown_path(file.path()), error.detail());
    failed(error);
  }

  void import_session(const fs::path& file, Session session, importing::Format format) {
    const std::string id = session.id.str();
    const std::size_t messages = session.messages.size();
    const Result<importing::Outcome> outcome =
        importing::ingest(*store_, std::move(session), format, call_.with_timeout(SaveOptions()));
    progress_->clear();
    if (!outcome) return failed(Error(outcome.error()).with_key(id).with_path(shown_path(file)));
    const std::string_view done = name(*outcome);
    ++totals_[std::string(done)];
    if (call_.json) {
      print_json(json::object{{"outcome", done},
                              {"session_id", id},
                              {"format", name(format)},
                              {"messages", messages},
                              {"source", shown_path(file)}});
    } else {
      print_line(std::string(done) + ' ' + visible(id) + "  " + std::string(name(format)) + ", " +
                 std::to_string(messages) + " messages");
    }
  }

  // What was found in a file, beside its sessions: the lines that were left out.
  void describe(const importing::FileReport& report) {
    totals_["skipped_lines"] += report.skipped_count;
    // Where a line, or the file, is a whole session: one that is left out is missing.
    const bool incomplete = !is_transcript_of_lines(report.format) && report.skipped_count > 0;
    if (incomplete && code_ == kOk) code_ = kCorrupt;
    if (call_.json) return describe_as_json(report);
    for (const importing::Skipped& skipped : report.skipped) {
      print_note(report.source + ':' + std::to_string(skipped.line) + ": skipped: " + skipped.reason);
    }
    if (report.skipped_count > report.skipped.size()) {
      print_note(report.source + ": " + std::to_string(report.skipped_count) + " lines skipped in all");
    }
  }

  static void describe_as_json(const importing::FileReport& report) {
    json::array skipped;
    for (const importing::Skipped& line : report.skipped) {
      skipped.push_back(json::object{{"line", line.line}, {"reason", line.reason}});
    }
    print_json(json::object{{"file", shown_path(report.source)},
                            {"format", name(report.format)},
                            {"sha256", report.sha256},
                            {"records", report.records},
                            {"sessions", report.sessions},
                            {"skipped_lines", report.skipped_count},
                            {"skipped", std::move(skipped)}});
  }

  void unread(const std::string& path, const std::string& reason) {
    ++totals_["skipped_files"];
    if (call_.json)
      print_json(json::object{{"outcome", "skipped"}, {"source", shown_path(path)}, {"reason", reason}});
    else
      print_note(path + ": skipped: " + reason);
  }

  void failed(const Error& error) {
    ++totals_[error.code() == Errc::conflict ? "conflicts" : "failed"];
    const int code = call_.fail(error);
    if (code_ == kOk) code_ = code;
  }

  void print_totals() {
    json::object totals{{"files", files_.size()}};
    std::string text = std::to_string(files_.size()) + " files";
    for (const std::string key :
         {"imported", "replaced", "unchanged", "conflicts", "failed", "skipped_files", "skipped_lines"}) {
      totals[key] = totals_[key];
      std::string words = key;
      std::replace(words.begin(), words.end(), '_', ' ');
      if (totals_[key] > 0) text += ", " + std::to_string(totals_[key]) + ' ' + words;
    }
    if (call_.json)
      print_json(json::object{{"total", std::move(totals)}});
    else
      print_line(text);
  }

  Call& call_;
  const importing::Format format_;
  const StorePtr store_;
  const importing::ImportLimits limits_;
  std::vector<importing::TranscriptFile> files_;
  std::set<fs::path> named_;  // given by name, not found in a directory
  std::map<std::string, std::uint64_t> totals_;
  Progress* progress_ = nullptr;  // while run() runs
  int code_ = kOk;
};

}  // namespace

void add_import(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command =
      app.add_subcommand("import", "Takes over transcripts of other programs, and what export printed");
  command->footer(
      "Directories are searched for *.jsonl and *.json. Nothing is imported twice: run it again to take over "
      "what is new\n"
      "in the files. A session that was changed in the store since is a conflict, and left as it is. What "
      "could not be\n"
      "read is reported by file and line, and keeps nothing else from being imported.\n"
      "Example: sessile --store jsondir:sessions import ~/.claude/projects ~/.codex/sessions");
  command->add_option("PATH", arguments->paths, "Files and directories")->required();
  command->add_option("--format", arguments->format, "auto, claude-code, codex, reference, agent-os, sessile")
      ->check(CLI::IsMember({"auto", "claude-code", "codex", "reference", "agent-os", "sessile"}))
      ->capture_default_str();
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return Import(call, *arguments).run(); }; });
}

}  // namespace sessile::tools
