// A memory's file while its lock is held: what is in it, and the writes that keep both the same.
#pragma once

#include "logs/log_place.hpp"
#include "logs/memory_record.hpp"
#include "storage/append_log.hpp"

#include <memory>
#include <optional>

namespace sessile::detail {

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
