// The check and the repair of all documents below a base.
#include "documents/daemon_work.hpp"
#include "documents/file.hpp"
#include "documents/lock.hpp"
#include "documents/names.hpp"
#include "logs/log_operation.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"
#include "storage/verify_run.hpp"

#include <sessile/documents.hpp>

#include <deque>
#include <set>

namespace sessile {
namespace detail {
namespace {

using storage::CommitGate;
using storage::conclude;
using storage::Directory;
using storage::FileKind;
using storage::Findings;

/// Hidden, so that it is no category and no document.
constexpr const char* kDocumentQuarantine = ".quarantine";

constexpr std::string_view kJsonExtension = ".json";
constexpr std::string_view kMarkdownExtension = ".md";

bool is_document(std::string_view entry) {
  for (const std::string_view extension : {kJsonExtension, kMarkdownExtension}) {
    if (!entry.ends_with(extension)) continue;
    return check_document_name(entry.substr(0, entry.size() - extension.size())).has_value();
  }
  return false;
}

/// Goes through the categories, those inside of others included. Used once.
class DocumentVerification {
 public:
  DocumentVerification(std::shared_ptr<DocumentCore> core, storage::VerifyRun run)
      : core_(std::move(core)), run_(std::move(run)) {}

  Async<VerifyReport> run() { return run_.report_of(check_all()); }

 private:
  Async<void> check_all() {
    using Place = std::shared_ptr<Directory>;
    auto base = co_await storage::run_on(run_.pool(),
                                         [this](CommitGate&) -> Result<Place> { return core_->find_base(); });
    if (!base) co_return base.error();
    if (!*base) co_return success();
    if (auto listed = co_await visit(*base, ""); !listed) co_return listed.error();
    while (!categories_.empty()) {
      const std::string category = std::move(categories_.front());
      categories_.pop_front();
      auto directory = co_await storage::run_on(
          run_.pool(), [this, &category](CommitGate&) -> Result<Place> { return core_->find(category); });
      if (!directory) {
        run_.note(Finding(directory.error(), directory.error().path()));
      } else if (*directory) {
        if (auto done = co_await visit(*directory, category); !done) co_return done.error();
      }
    }
    co_return success();
  }

  /// `category`: empty for the base, which holds only categories.
  Async<void> visit(std::shared_ptr<Directory> directory, std::string category) {
    using Entries = std::vector<storage::DirectoryEntry>;
    auto entries = co_await storage::run_on(run_.pool(), [&directory](CommitGate&) -> Result<Entries> {
      auto listed = directory->list();
      if (listed) return std::move(*listed);
      return storage::system_error(listed.error(), "cannot list the category", *directory, "");
    });
    if (!entries) {
      run_.note(Finding(entries.error(), directory->path().string()));
      co_return success();
    }
    std::set<std::string> with_temporaries;
    for (const auto& entry : *entries) {
      if (entry.kind == FileKind::directory) {
        if (check_document_name(entry.name)) {
          categories_.push_back(category.empty() ? entry.name : category + "/" + entry.name);
        }
      } else if (category.empty()) {
        continue;
      } else if (is_temporary_document(entry.name)) {
        with_temporaries.insert(storage::name_of_temporary(entry.name).value_or(entry.name));
      } else if (is_document(entry.name)) {
        if (auto done = co_await check_document(directory, entry); !done) co_return done;
      }
    }
    for (const std::string& file : with_temporaries) {
      auto swept = co_await run_.sweep(directory, file, directory, kLockFile);
      if (!swept) co_return swept;
    }
    co_return success();
  }

  Async<void> check_document(std::shared_ptr<Directory> directory, storage::DirectoryEntry entry) {
    if (entry.kind != FileKind::regular) {
      run_.note(storage::wrong_type(*directory, entry.name));
      co_return success();
    }
    auto look_at = [this, &directory, &entry](bool repair) { return look(*directory, entry.name, repair); };
    if (auto done = co_await run_.check(directory, kLockFile, look_at); !done) co_return done;
    run_.checked();
    co_return success();
  }

  Findings look(Directory& directory, const std::string& file, bool repair) {
    const bool is_json = file.ends_with(kJsonExtension);
    const std::size_t extension = is_json ? kJsonExtension.size() : kMarkdownExtension.size();
    const std::string name = file.substr(0, file.size() - extension);
    std::optional<Error> error;
    std::optional<JsonDocument> document;
    if (is_json) {
      auto read = read_json_file(directory, name, core_->limits);
      if (read) document = std::move(*read);
      if (!read) error = read.error();
    } else {
      auto read = read_markdown_file(directory, name, core_->limits);
      if (!read) error = read.error();
    }
    const std::string path = (directory.path() / file).string();
    storage::Quarantine quarantine(directory, kDocumentQuarantine);
    if (error) {
      Finding finding(*error, path);
      finding.key = name;
      if (repair && finding.kind == FindingKind::corrupt) {
        conclude(finding, quarantine.move(directory, file, finding));
      }
      return {std::move(finding)};
    }
    json::object* fields = document ? document->value.if_object() : nullptr;
    if (fields == nullptr || !fields->contains("fsm_state") || has_sound_entries(*fields)) return {};
    Finding finding(FindingKind::corrupt, path);
    finding.key = name;
    finding.detail = "a daemon's first_turn_pending is not an object";
    if (repair) conclude(finding, heal(directory, file, *fields, quarantine, finding));
    return {std::move(finding)};
  }

  /// As the daemon itself heals it.
  Result<void> heal(Directory& directory, const std::string& file, json::object& fields,
                    storage::Quarantine& quarantine, Finding& finding) {
    if (auto copied = quarantine.copy(directory, file, 0, finding); !copied) return copied;
    fields.stable_erase(kFirstTurnPending);
    auto text = print_document(fields, core_->limits);
    if (!text) return text.error();
    CommitGate gate;
    return storage::replace_file(directory, file, *text, Durability::power, gate);
  }

  const std::shared_ptr<DocumentCore> core_;
  storage::VerifyRun run_;
  std::deque<std::string> categories_;
};

Async<VerifyReport> verify_body(std::shared_ptr<DocumentCore> core, VerifyOptions options) {
  storage::VerifyRun run(std::move(options), core->options.lock(), true, core->executor);
  DocumentVerification verification(core, std::move(run));
  co_return co_await verification.run();
}

}  // namespace
}  // namespace detail

Async<VerifyReport> DocumentStore::verify(VerifyOptions options) const {
  const auto timeout = options.timeout();
  return detail::run_log_operation("verify", core_->base(), timeout,
                                   detail::verify_body(core_, std::move(options)));
}

}  // namespace sessile
