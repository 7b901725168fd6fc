// A memory's file while its lock is held: what is in it, and the writes that keep both the same.
#pragma once

#include "logs/log_place.hpp"
#include "logs/memory_record.hpp"
#include "storage/append_log.hpp"

#include <memory>
#include <optional>

namespace sessile::detail {

/// Who has the lock is written there, beside the sidecar and not into it: with a POSIX record lock, closing
/// any other descriptor of the sidecar, as a reader of it must, would free the lock.
std::string holder_file(const LogPlace& place);

/// The largest file that is read, its padding included.
std::uint64_t memory_bytes_limit(const Limits& limits) noexcept;

/// For reading one record, which is nested a few levels, whatever its content may be.
Limits memory_record_limits(Limits limits) noexcept;

/// Used by one thread at a time; every member blocks. Invariant: content() is what the file holds, but after
/// an `indeterminate` write, when the file is read again before the next one.
class MemoryFile {
 public:
  /// Takes the lock and reads the file. Errors: as MemoryLog::open.
  static Result<std::unique_ptr<MemoryFile>> open(const LogPlace& place);
  /// Frees the lock.
  ~MemoryFile();

  const MemoryContent& content() const noexcept { return content_; }

  /// Errors of the writes: cancelled, unavailable, too_large, io: nothing changed. indeterminate.
  Result<MemoryItem> add(MemoryNote note, storage::CommitGate& gate);
  Result<bool> forget(MemoryId id, storage::CommitGate& gate);
  Result<CompactReport> compact(storage::CommitGate& gate);

 private:
  MemoryFile(const LogPlace& place, std::shared_ptr<storage::Directory> directory,
             std::unique_ptr<storage::LockFile> lock);
  Result<void> read();
  /// Makes the file ready for a record: there, read, and not poisoned.
  Result<void> prepare(storage::CommitGate& gate);
  Result<void> append(std::string_view members, storage::CommitGate& gate);
  /// Replaces the file by one with a single record: all of content_.
  Result<void> replace(storage::CommitGate& gate);
  void note_holder();

  const LogPlace place_;
  const std::shared_ptr<storage::Directory> directory_;
  std::unique_ptr<storage::LockFile> lock_;
  MemoryContent content_;
  std::optional<storage::AppendLog> log_;  // empty: there is no file yet
  storage::LogTail tail_;
  bool must_read_ = false;     // a write's outcome is not known
  bool must_replace_ = false;  // whether the file's name is durable is not known
  bool name_durable_ = false;  // the directory was synced since the file got its name
};

}  // namespace sessile::detail
