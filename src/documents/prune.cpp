#include "documents/file.hpp"
#include "documents/document_operation.hpp"
#include "storage/replace_file.hpp"

#include <algorithm>
#include <span>

namespace sessile {
namespace detail {
namespace {

/// A document as it was listed.
class Listed {
 public:
  Listed(std::string name_, DocumentFiles files_) : name(std::move(name_)), files(files_) {}
  std::string name;
  DocumentFiles files;
};

/// A document that goes, with the state in which it may.
class Doomed {
 public:
  Doomed(const Listed& listed, DocumentPruneItem::Reason reason) : files(listed.files) {
    item.name = listed.name;
    item.modified = listed.files.modified;
    item.reason = reason;
  }
  DocumentPruneItem item;
  DocumentFiles files;
};

/// What the policy says of a category.
class Verdict {
 public:
  std::vector<Doomed> doomed;  // the oldest first
  std::uint64_t kept = 0;
};

Result<std::vector<Listed>> list_files(storage::Directory& directory) {
  const auto names = document_names(directory);
  if (!names) return names.error();
  std::vector<Listed> documents;
  for (const std::string& name : *names) {
    const auto files = document_files(directory, name);
    if (!files) return files.error();
    if (files->json || files->markdown) documents.emplace_back(name, *files);
  }
  return documents;
}

Verdict judge(std::vector<Listed> documents, const DocumentPrunePolicy& policy, TimePoint now) {
  std::sort(documents.begin(), documents.end(), [](const Listed& a, const Listed& b) {
    if (a.files.modified != b.files.modified) return a.files.modified > b.files.modified;
    return a.name < b.name;
  });
  Verdict verdict;
  for (const Listed& document : documents) {
    if (policy.ttl().count() > 0 && now - document.files.modified >= policy.ttl()) {
      verdict.doomed.emplace_back(document, DocumentPruneItem::Reason::expired);
    } else if (policy.max_documents() > 0 && verdict.kept >= policy.max_documents()) {
      verdict.doomed.emplace_back(document, DocumentPruneItem::Reason::over_count);
    } else {
      ++verdict.kept;
    }
  }
  std::reverse(verdict.doomed.begin(), verdict.doomed.end());
  return verdict;
}

/// Removes one file; false when it was gone already.
Result<bool> unlink(storage::Directory& directory, const std::string& file) {
  const auto removed = directory.remove(file);
  if (removed) return true;
  if (removed.error().value() == ENOENT) return false;
  return storage::system_error(removed.error(), "cannot remove the file", directory, file);
}

enum class Removal { removed, gone, kept };

/// Removes the document unless it was written since it was listed.
Result<Removal> remove_listed(storage::Directory& directory, const Doomed& doomed) {
  const auto files = document_files(directory, doomed.item.name);
  if (!files) return files.error();
  if (!files->json && !files->markdown) return Removal::gone;
  if (*files != doomed.files) return Removal::kept;
  bool any = false;
  for (const auto& [present, file] : {std::pair(files->json, json_file(doomed.item.name)),
                                      std::pair(files->markdown, markdown_file(doomed.item.name))}) {
    if (!present) continue;
    const auto removed = unlink(directory, file);
    if (!removed) return removed.error();
    any = any || *removed;
  }
  return any ? Removal::removed : Removal::gone;
}

/// One batch, under the lock. True: to be reported as removed, in order.
Result<std::vector<Removal>> remove_batch(storage::Directory& directory, std::span<const Doomed> batch,
                                          Durability durability, std::vector<Error>& failed,
                                          const std::string& category, storage::CommitGate& gate) {
  if (!gate.try_commit()) return Error(Errc::cancelled);
  std::vector<Removal> outcomes;
  bool any = false;
  for (const Doomed& doomed : batch) {
    const auto outcome = remove_listed(directory, doomed);
    if (!outcome) failed.push_back(outcome.error().with_key(category + "/" + doomed.item.name));
    outcomes.push_back(outcome ? *outcome : Removal::gone);
    any = any || outcomes.back() == Removal::removed;
  }
  // One sync for the batch: the removals are acknowledged together.
  if (!any || durability != Durability::power) return outcomes;
  if (const auto synced = directory.sync(); !synced) {
    failed.push_back(Error(Errc::indeterminate, "a loss of power may bring the removed documents back")
                         .with_key(category)
                         .with_path(directory.path().string())
                         .with_cause(synced.error()));
  }
  return outcomes;
}

void count(DocumentPruneReport& report, std::span<const Doomed> batch, const std::vector<Removal>& outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == Removal::removed) report.removed.push_back(batch[i].item);
    if (outcomes[i] == Removal::kept) ++report.kept;
  }
}

Async<DocumentPruneReport> prune_body(DocumentCall call, DocumentPrunePolicy policy,
                                      DocumentPruneOptions options) {
  if (options.batch() == 0) co_return Error(Errc::invalid_argument, "a batch needs at least one document");
  using Place = std::shared_ptr<storage::Directory>;
  Place directory;
  auto list = [&call, &policy, &directory](storage::CommitGate&) -> Result<Verdict> {
    auto found = call.hold ? Result<Place>(call.hold->directory()) : call.core->find(call.category);
    if (!found) return found.error();
    directory = *std::move(found);
    if (!directory && call.hold) return Error(Errc::closed, "the lock was given back");
    if (!directory) return Verdict();
    auto documents = list_files(*directory);
    if (!documents) return documents.error();
    return judge(*std::move(documents), policy, call.core->options.clock()->now());
  };
  auto judged = co_await storage::run_on(call.core->executor, std::move(list));
  if (!judged) co_return judged.error();

  DocumentPruneReport report;
  report.kept = judged->kept;
  const std::span<const Doomed> all(judged->doomed);
  if (options.is_dry_run()) {
    for (const Doomed& doomed : all)
      report.would_remove.push_back(doomed.item);
    co_return report;
  }
  const Durability durability = call.core->durability(options.durability());
  for (std::size_t done = 0; done < all.size();) {
    const auto batch = all.subspan(done, std::min(options.batch(), all.size() - done));
    auto work = [&call, &report, batch, durability](storage::Directory& place, storage::CommitGate& gate) {
      return remove_batch(place, batch, durability, report.failed, call.category, gate);
    };
    // What ends a later batch must not hide what the earlier ones did.
    Result<std::vector<Removal>> outcomes;
    try {
      outcomes = co_await locked_body<std::vector<Removal>>(call, directory, std::move(work));
    } catch (...) {
      outcomes = error_from(std::current_exception());
    }
    if (!outcomes) {
      report.kept += all.size() - done;
      report.stopped = call.annotated(outcomes.error());
      break;
    }
    count(report, batch, *outcomes);
    done += batch.size();
  }
  co_return report;
}

}  // namespace
}  // namespace detail

Async<DocumentPruneReport> DocumentAccess::prune(DocumentPrunePolicy policy,
                                                 DocumentPruneOptions options) const {
  auto made = call("prune", options.timeout());
  auto body = detail::prune_body(made, policy, options);
  return detail::run_document_operation<DocumentPruneReport>(std::move(made), std::move(body));
}

}  // namespace sessile
