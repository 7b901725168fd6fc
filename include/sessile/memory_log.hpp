// What an agent remembers across sessions: facts, preferences, context, in one file with one writer.
#pragma once

#include <sessile/log_options.hpp>
#include <sessile/result.hpp>
#include <sessile/verify.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile {

namespace detail {
class LogAccess;
}

enum class MemoryKind { fact, pref, context };

/// The kind's stable name: "fact", "pref", "context".
std::string_view name(MemoryKind kind) noexcept;
/// Errors: invalid_argument for any other text.
Result<MemoryKind> parse_memory_kind(std::string_view text);

/// Numbers an item: from 1, increasing, never used twice in one file.
using MemoryId = std::uint64_t;

/// Something to remember.
class MemoryNote {
 public:
  MemoryNote() {}
  MemoryNote(MemoryKind kind_, std::string content_) : kind(kind_), content(std::move(content_)) {}
  MemoryNote& tag(std::string value) { return tags.push_back(std::move(value)), *this; }
  MemoryNote& set_source(std::string value) { return source = std::move(value), *this; }

  friend bool operator==(const MemoryNote&, const MemoryNote&) = default;

  MemoryKind kind = MemoryKind::fact;
  std::string content;            ///< UTF-8, not blank
  std::vector<std::string> tags;  ///< UTF-8, 1 to 200 bytes each
  std::string source;             ///< where it is from, a session's id for one; may be empty
};

/// Something remembered.
class MemoryItem {
 public:
  MemoryItem() {}
  friend bool operator==(const MemoryItem&, const MemoryItem&) = default;

  MemoryId id = 0;
  Timestamp created_at;
  MemoryNote note;
};

/// Which items to list.
class MemoryQuery {
 public:
  MemoryQuery() {}
  MemoryQuery& kind(MemoryKind value) noexcept { return kind_ = value, *this; }
  /// Only items that have this tag.
  MemoryQuery& tag(std::string value) { return tag_ = std::move(value), *this; }
  /// At most so many, the newest; 0: all.
  MemoryQuery& limit(std::size_t value) noexcept { return limit_ = value, *this; }

  std::optional<MemoryKind> kind() const noexcept { return kind_; }
  const std::optional<std::string>& tag() const noexcept { return tag_; }
  std::size_t limit() const noexcept { return limit_; }

 private:
  std::optional<MemoryKind> kind_;
  std::optional<std::string> tag_;
  std::size_t limit_ = 0;
};

/// What compact did.
class CompactReport {
 public:
  CompactReport() noexcept {}
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};

/// The memory of an agent in one file: an append-only log of checked JSON lines (docs/formats.md), readable
/// with `jq`. Damage is noticed: what cannot be read is `corrupt`, never taken for an empty memory.
///
/// One handle in one process has the file open at a time: an exclusive kernel lock on `FILE.lock`, freed when
/// the handle is closed or destroyed (and the operations begun have ended), and by the kernel when its
/// process dies. `FILE.holder` says who has it, for messages only. Files are 0600, the directory is made
/// (0700) when it is missing.
///
/// Object lifetimes: operations outlive the handle. Executor: callable from any executor, resumes on the
/// caller's; files are touched on internal threads. Operations of one handle run one after the other.
/// Cancellation: any type; before the commit point nothing happened (`cancelled`), afterwards the operation
/// finishes. Errors beside those named: cancelled, timed_out, closed, unavailable, io. Thread-safe, but for
/// moving and destroying.
class MemoryLog {
 public:
  /// Takes the lock, without waiting, and reads the file; a missing or empty one is an empty memory, and made
  /// by the first write. Errors: invalid_argument, see LogOptions; locked, with holder() (pid and host);
  /// corrupt, with path() and offset(); too_large; unsupported: written by a newer version.
  static Async<MemoryLog> open(std::filesystem::path file, LogOptions options = LogOptions());

  /// Reports what of the file cannot be read, and with VerifyOptions::repair makes it readable: every item
  /// whose record can be read stays, ids that may have been used are not used again, and the damaged file is
  /// copied to the directory `quarantine` beside it first. An item comes back when it was a lost record that
  /// forgot it. What a handle that is open has under way is `busy`. A missing file is sound. Errors:
  /// unavailable.
  static Async<VerifyReport> verify(std::filesystem::path file, VerifyOptions options = VerifyOptions(),
                                    LogOptions log = LogOptions());

  MemoryLog(MemoryLog&&) noexcept;
  MemoryLog& operator=(MemoryLog&&) noexcept;
  ~MemoryLog();

  /// Remembers. Errors: invalid_argument for content that is blank, what is not UTF-8, or a tag that is
  /// empty or too long; too_large; indeterminate: the sync failed, the item may come back when the file is
  /// opened again, its id is not used again.
  Async<MemoryItem> add(MemoryNote note);
  Async<MemoryItem> add(MemoryKind kind, std::string content);

  /// Forgets. False, and nothing is written, when there is no item of that id (any more). Errors:
  /// too_large (compact first), indeterminate.
  Async<bool> forget(MemoryId id);

  /// The items that were not forgotten, the newest first.
  Async<std::vector<MemoryItem>> list(MemoryQuery query = MemoryQuery());

  /// Rewrites the file without what was forgotten; ids stay, and none is used again. An atomic replace: a
  /// crash leaves the old file or the new one. Errors: indeterminate.
  Async<CompactReport> compact();

  /// Frees the lock when the operations that were begun have ended; later ones fail with `closed`. Closing
  /// twice is harmless.
  Async<void> close();

 private:
  class State;
  explicit MemoryLog(std::shared_ptr<State> state) noexcept;
  friend class detail::LogAccess;
  std::shared_ptr<State> state_;
};

}  // namespace sessile
