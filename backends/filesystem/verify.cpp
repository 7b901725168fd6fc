#include "verify.hpp"

#include "session_file.hpp"
#include "storage/poison_mark.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"
#include "store.hpp"

#include <sessile/backend.hpp>

namespace sessile::filesystem {

using storage::CommitGate;
using storage::conclude;
using storage::Directory;
using storage::FileKind;

namespace {

/// True when the head, from which listings are made, says something else than the document.
bool summary_is_stale(std::string_view text, const Session& session) {
  auto head = decode_head(text.substr(0, 4096));
  if (!head) return false;  // not trusted: listings read the document
  SessionSummary whole = summarize(session);
  whole.stored_bytes = head->stored_bytes;
  return *head != whole;
}

bool is_sidecar(std::string_view entry) {
  return entry.ends_with(sidecar_of(kExtension));
}

}  // namespace

Async<void> Verification::check_all() {
  using Entries = std::vector<storage::DirectoryEntry>;
  auto entries = co_await storage::run_on(run_.pool(), [this](CommitGate&) -> Result<Entries> {
    auto listed = directory_->list();
    if (!listed) return storage::system_error(listed.error(), "cannot list the directory", *directory_, "");
    return std::move(*listed);
  });
  if (!entries) co_return entries.error();
  std::set<std::string> sessions;
  std::set<std::string> with_temporaries;
  std::set<std::string> marked;
  for (const auto& entry : *entries) {
    const auto written = storage::name_of_temporary(entry.name);
    const bool temporary = written && written->ends_with(kExtension);
    const auto unsynced = storage::name_of_poison_mark(entry.name);
    const bool mark = unsynced && unsynced->ends_with(kExtension);
    const bool session = entry.name.ends_with(kExtension);
    if (!temporary && !mark && !session && !is_sidecar(entry.name)) continue;
    if (entry.kind != FileKind::regular) {
      run_.note(storage::wrong_type(*directory_, entry.name));
    } else if (temporary) {
      with_temporaries.insert(*written);
    } else if (mark) {
      marked.insert(*unsynced);
    } else if (session) {
      sessions.insert(entry.name);
    }
  }
  run_.expect(sessions.size());
  for (const std::string& file : sessions) {
    if (auto done = co_await check_file(file); !done) co_return done.error();
  }
  for (const std::string& file : marked) {
    auto look_at = [this, &file](bool repair) {
      return storage::find_mark_of_none(*directory_, file, repair);
    };
    if (auto done = co_await run_.check(directory_, sidecar_of(file), look_at); !done) co_return done;
  }
  for (const std::string& file : with_temporaries) {
    if (auto done = co_await run_.sweep(directory_, file, directory_, sidecar_of(file)); !done)
      co_return done.error();
  }
  co_return success();
}

Async<void> Verification::check_file(std::string file) {
  auto look_at = [this, &file](bool repair) { return look_and_repair(file, repair); };
  if (auto done = co_await run_.check(directory_, sidecar_of(file), look_at); !done) co_return done;
  run_.checked();
  co_return success();
}

Verification::Findings Verification::look(const std::string& file) {
  const std::string path = (directory_->path() / file).string();
  const auto judge = [&](const Error& error) -> Findings {
    // Removed since it was listed.
    if (error.code() == Errc::not_found) return {};
    Finding finding(error, path);
    finding.key = key_of(file);
    return {std::move(finding)};
  };
  auto summary = read_summary(*directory_, file, limits_);
  if (!summary) return judge(summary.error());
  if (!*summary) return {};
  auto text = storage::read_file(*directory_, file, longest_file(limits_));
  if (!text) return judge(text.error());
  auto stored = decode_document(*text, limits_);
  if (!stored) return judge(stored.error());
  const bool stale = summary_is_stale(*text, stored->session);
  if (!stale && !storage::is_poisoned(*directory_, file)) return {};
  Finding finding(stale ? FindingKind::stale_summary : FindingKind::unsynced, path);
  finding.key = key_of(file);
  finding.detail = stale ? "the head of the file, which listings show, is not that of its session"
                         : "a sync of the file failed";
  return {std::move(finding)};
}

Verification::Findings Verification::look_and_repair(const std::string& file, bool repair) {
  Findings findings = look(file);
  if (!repair) return findings;
  for (Finding& finding : findings) {
    if (finding.kind == FindingKind::corrupt) {
      conclude(finding, storage::Quarantine(*directory_).move(*directory_, file, finding));
    } else if (finding.kind == FindingKind::stale_summary || finding.kind == FindingKind::unsynced) {
      conclude(finding, rewrite(file, finding));
    }
  }
  return findings;
}

/// The file as it is is kept as well: of fields of the same name, for one, the session has the last only.
Result<void> Verification::rewrite(const std::string& file, Finding& finding) {
  auto text = storage::read_file(*directory_, file, longest_file(limits_));
  if (!text) return text.error();
  auto stored = decode_document(*text, limits_);
  if (!stored) return stored.error();
  auto kept = storage::Quarantine(*directory_).copy(*directory_, file, 0, finding);
  if (!kept) return kept;
  CommitGate gate;
  auto replaced = storage::replace_file(*directory_, file, encode_document(stored->session, stored->appends),
                                        Durability::power, gate);
  if (replaced) storage::clear_poison(*directory_, file);
  return replaced;
}

Async<VerifyReport> FilesystemStore::do_verify(VerifyOptions options) {
  auto open = [this](CommitGate&) {
    auto opened = place_->open();
    // Deleted, and perhaps made anew, since it was opened.
    if (opened && *opened && place_->let_go_if_deleted(*opened)) opened = place_->open();
    return opened;
  };
  auto directory = co_await storage::run_on(get_executor(), std::move(open));
  if (!directory) co_return directory.error();
  if (*directory == nullptr) co_return VerifyReport();
  const bool may_lock = this->options().access() == Access::read_write;
  storage::VerifyRun run(std::move(options), lock_, may_lock, get_executor());
  Verification verification(std::move(*directory), capabilities().limits, std::move(run));
  co_return co_await verification.run();
}

}  // namespace sessile::filesystem
