// What can be asked of the operations on documents, and what they return.
#pragma once

#include <sessile/lock_options.hpp>
#include <sessile/options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sessile {

namespace json = boost::json;

/// What a DocumentStore is opened with.
class DocumentStoreOptions {
 public:
  DocumentStoreOptions() {}
  /// Runs the blocking file work here instead of on the process-wide pool. Must allow blocking work, and
  /// outlive the operations.
  DocumentStoreOptions& executor(asio::any_io_executor value) {
    return executor_ = std::move(value), *this;
  }
  /// What the ages of prune are measured by.
  DocumentStoreOptions& clock(std::shared_ptr<const Clock> value) { return clock_ = std::move(value), *this; }
  /// Default for every write; none is taken as process.
  DocumentStoreOptions& durability(Durability value) noexcept { return durability_ = value, *this; }
  /// The primitive and the default timeout of the locks.
  DocumentStoreOptions& lock(LockOptions value) noexcept { return lock_ = value, *this; }
  /// The largest document written or read, as stored.
  DocumentStoreOptions& document_bytes(std::uint64_t value) noexcept { return bytes_ = value, *this; }
  /// The deepest nesting of arrays and objects.
  DocumentStoreOptions& depth(std::uint32_t value) noexcept { return depth_ = value, *this; }

  const asio::any_io_executor& executor() const noexcept { return executor_; }
  const std::shared_ptr<const Clock>& clock() const noexcept { return clock_; }
  Durability durability() const noexcept { return durability_; }
  const LockOptions& lock() const noexcept { return lock_; }
  std::uint64_t document_bytes() const noexcept { return bytes_; }
  std::uint32_t depth() const noexcept { return depth_; }

 private:
  asio::any_io_executor executor_;
  std::shared_ptr<const Clock> clock_ = system_clock();
  Durability durability_ = Durability::power;
  LockOptions lock_;
  std::uint64_t bytes_ = std::uint64_t{64} << 20;
  std::uint32_t depth_ = 128;
};

class DocumentReadOptions : public detail::CommonOptions<DocumentReadOptions> {
 public:
  DocumentReadOptions() noexcept {}
};

/// Of save_json, save_markdown and remove. `if_revision` is compared with the revision of the document that
/// the operation is about.
class DocumentWriteOptions : public detail::CommonOptions<DocumentWriteOptions> {
 public:
  DocumentWriteOptions() noexcept {}
  /// What this write survives once acknowledged; default: DocumentStoreOptions::durability.
  DocumentWriteOptions& durability(Durability value) noexcept { return durability_ = value, *this; }
  /// Refuses with conflict, writing nothing, unless this is stored.
  DocumentWriteOptions& if_revision(RevisionCheck value) noexcept { return check_ = value, *this; }
  DocumentWriteOptions& if_revision(Revision value) noexcept {
    return if_revision(RevisionCheck::exactly(value));
  }
  /// Creates: refuses with conflict when the document is there.
  DocumentWriteOptions& if_absent() noexcept { return if_revision(RevisionCheck::absent()); }

  std::optional<Durability> durability() const noexcept { return durability_; }
  const RevisionCheck& if_revision() const noexcept { return check_; }

 private:
  std::optional<Durability> durability_;
  RevisionCheck check_;
};

/// What update_json does when there is no document.
enum class MissingDocument {
  create,  ///< edits `{}`
  refuse,  ///< answers not_found
};

class DocumentUpdateOptions : public detail::CommonOptions<DocumentUpdateOptions> {
 public:
  DocumentUpdateOptions() noexcept {}
  DocumentUpdateOptions& durability(Durability value) noexcept { return durability_ = value, *this; }
  /// Refuses with conflict, writing nothing, unless this is stored.
  DocumentUpdateOptions& if_revision(RevisionCheck value) noexcept { return check_ = value, *this; }
  DocumentUpdateOptions& if_revision(Revision value) noexcept {
    return if_revision(RevisionCheck::exactly(value));
  }
  DocumentUpdateOptions& missing(MissingDocument value) noexcept { return missing_ = value, *this; }

  std::optional<Durability> durability() const noexcept { return durability_; }
  const RevisionCheck& if_revision() const noexcept { return check_; }
  MissingDocument missing() const noexcept { return missing_; }

 private:
  std::optional<Durability> durability_;
  RevisionCheck check_;
  MissingDocument missing_ = MissingDocument::create;
};

/// Of lock.
class DocumentLockOptions {
 public:
  DocumentLockOptions() noexcept {}
  /// The longest wait for the lock; default: the timeout of DocumentStoreOptions::lock. 0: one attempt.
  DocumentLockOptions& timeout(std::chrono::milliseconds value) noexcept { return timeout_ = value, *this; }
  std::optional<std::chrono::milliseconds> timeout() const noexcept { return timeout_; }

 private:
  std::optional<std::chrono::milliseconds> timeout_;
};

/// A JSON document as stored.
class JsonDocument {
 public:
  JsonDocument() noexcept {}
  json::value value;
  Revision revision = 0;  ///< of the file's bytes; see DocumentStore
};

/// A Markdown document as stored.
class MarkdownDocument {
 public:
  MarkdownDocument() noexcept {}
  std::string text;
  Revision revision = 0;  ///< of the file's bytes; see DocumentStore
};

/// Which documents of a category stay. Ages are measured by DocumentStoreOptions::clock from the modification
/// time of the file (of the younger one where a name has both a JSON and a Markdown document).
class DocumentPrunePolicy {
 public:
  DocumentPrunePolicy() noexcept {}
  /// A document as old as this, or older, goes; 0: none goes for its age.
  DocumentPrunePolicy& ttl(std::chrono::microseconds value) noexcept { return ttl_ = value, *this; }
  /// Of those left, only the newest so many stay; 0: any number does.
  DocumentPrunePolicy& max_documents(std::uint64_t value) noexcept { return max_documents_ = value, *this; }

  std::chrono::microseconds ttl() const noexcept { return ttl_; }
  std::uint64_t max_documents() const noexcept { return max_documents_; }

 private:
  std::chrono::microseconds ttl_ = std::chrono::hours(168);
  std::uint64_t max_documents_ = 100;
};

class DocumentPruneOptions : public detail::CommonOptions<DocumentPruneOptions> {
 public:
  DocumentPruneOptions() noexcept {}
  /// Removes nothing: DocumentPruneReport::would_remove says what would go and why.
  DocumentPruneOptions& dry_run() noexcept { return dry_run_ = true, *this; }
  /// So many documents are removed under one holding of the category's lock; between batches writers get
  /// their turn. At least 1, else invalid_argument.
  DocumentPruneOptions& batch(std::size_t documents) noexcept { return batch_ = documents, *this; }
  DocumentPruneOptions& durability(Durability value) noexcept { return durability_ = value, *this; }

  bool is_dry_run() const noexcept { return dry_run_; }
  std::size_t batch() const noexcept { return batch_; }
  std::optional<Durability> durability() const noexcept { return durability_; }

 private:
  bool dry_run_ = false;
  std::size_t batch_ = 64;
  std::optional<Durability> durability_;
};

/// A document that goes.
class DocumentPruneItem {
 public:
  enum class Reason {
    expired,     ///< DocumentPrunePolicy::ttl
    over_count,  ///< DocumentPrunePolicy::max_documents
  };
  DocumentPruneItem() noexcept {}
  std::string name;
  TimePoint modified;
  Reason reason = Reason::expired;

  friend bool operator==(const DocumentPruneItem&, const DocumentPruneItem&) = default;
};

/// What a prune did. A document that somebody else removed meanwhile is in none of the parts.
class DocumentPruneReport {
 public:
  DocumentPruneReport() noexcept {}
  std::vector<DocumentPruneItem> removed;       ///< the oldest first
  std::vector<DocumentPruneItem> would_remove;  ///< dry run: what a prune at this moment removes
  std::uint64_t kept = 0;                       ///< those written after they were listed included
  std::vector<Error> failed;                    ///< could not be removed, each with key(); the others were
  /// Why it ended before it was through (cancelled: by the caller, or by the timeout); what was not reached is
  /// counted as kept.
  std::optional<Error> stopped;
};

}  // namespace sessile
