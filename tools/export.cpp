#include "command.hpp"
#include "file_output.hpp"
#include "progress.hpp"

#include <sessile/blocking.hpp>
#include <sessile/json.hpp>

#include <CLI/CLI.hpp>

namespace sessile::tools {
namespace {

class ExportArguments {
 public:
  std::vector<std::string> ids;
  std::string output;
};

class Export {
 public:
  Export(Call& call, const ExportArguments& arguments)
      : call_(call), arguments_(arguments), store_(call.open()) {
    if (!arguments.output.empty()) file_.emplace(arguments.output);
  }

  int run() {
    if (arguments_.ids.empty()) {
      Progress progress("exporting", 0);
      all(progress);
    } else {
      Progress progress("exporting", arguments_.ids.size());
      for (const std::string& id : arguments_.ids)
        one(id, progress);
    }
    if (file_) finish_file();
    return code_;
  }

 private:
  void finish_file() {
    if (code_ != kOk) {
      // An older, complete export may be there.
      return print_note(arguments_.output +
                        " was not written, since the export is not complete; export to stdout keeps "
                        "what can be read");
    }
    file_->commit();
    if (call_.json)
      print_json(json::object{{"exported", count_}, {"output", text_for_json(arguments_.output)}});
    else
      print_line("exported " + std::to_string(count_));
  }

  // By id, so that every session that exists throughout is in the export.
  void all(Progress& progress) {
    ListQuery query = call_.with_timeout(ListQuery()).order(Order::id).limit(kMaxPageSize);
    do {
      const Result<Page<SessionSummary>> page = blocking::list(*store_, query);
      if (!page) return failed(page.error(), progress);
      for (const Error& error : page->unreadable)
        failed(error, progress);
      for (const SessionSummary& summary : page->items)
        one(summary.id, progress);
      query.cursor(page->next);
    } while (!query.cursor().empty());
  }

  void one(const SessionId& id, Progress& progress) {
    const Result<SessionPtr> session = blocking::load(*store_, id, call_.with_timeout(LoadOptions()));
    if (!session) {
      const Error error = session.error();
      // Removed since it was listed: it needs no export any more.
      if (error.code() == Errc::not_found && arguments_.ids.empty()) return;
      return failed(error, progress);
    }
    const std::string line = encode_session(**session) + '\n';
    // A file holds what the store does, byte for byte: escaped it might not fit the limits any more.
    if (file_)
      file_->write(line);
    else
      print(visible_json(line));
    ++count_;
    progress.step();
  }

  void failed(const Error& error, Progress& progress) {
    progress.clear();
    const int failure = call_.fail(error);
    if (code_ == kOk) code_ = failure;
  }

  Call& call_;
  const ExportArguments& arguments_;
  const StorePtr store_;
  std::optional<FileOutput> file_;
  std::uint64_t count_ = 0;
  int code_ = kOk;
};

}  // namespace

void add_export(CLI::App& app, Call& call) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command =
      app.add_subcommand("export", "Prints sessions as JSONL, one session a line; import takes it back");
  command->footer(
      "Without IDs: all sessions. The exit code is not 0 when any could not be read.\n"
      "Example: sessile --store jsondir:sessions export --output backup.jsonl");
  command->add_option("ID", arguments->ids, "Only these sessions");
  command->add_option("--output", arguments->output, "Writes there instead of stdout, all or nothing")
      ->type_name("FILE");
  command->callback(
      [&call, arguments] { call.action = [&call, arguments] { return Export(call, *arguments).run(); }; });
}

}  // namespace sessile::tools
