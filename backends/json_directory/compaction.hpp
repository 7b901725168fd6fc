// The compaction of a large log beside its writers: none of them waits for more than a rename.
#pragma once

#include "compaction_register.hpp"
#include "layout.hpp"
#include "log_reading.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/append_log.hpp"
#include "storage/log_replacement.hpp"
#include "storage/waiters.hpp"

#include <sessile/backend.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace sessile::json_directory {

/// Replaces one session's log by a snapshot of what it holds, in two halves. Both block, and run on a pool.
/// Until the second has put the new file in place, all is as it was, whatever fails.
class LogCompaction {
 public:
  enum class Step {
    done,
    overtaken,  ///< somebody wrote to the log: what was prepared is not it any more
    not_due,    ///< somebody has compacted it
  };

  /// `mark`: of the log that is due.
  LogCompaction(std::shared_ptr<const Place> place, SessionId id, const storage::LogMark& mark,
                const Limits& limits);

  /// Reads the log and writes the snapshot beside it, synced. Takes no lock: readers and writers go on.
  Result<Step> prepare(const storage::CommitGate& gate);
  /// Puts it in the log's place. Preconditions: prepare() was done; the caller holds the session's lock.
  Result<Step> put_in_place(storage::CommitGate& gate);

  /// Of the log that is due, or was read last.
  const storage::LogMark& mark() const noexcept { return mark_; }
  const Place& place() const noexcept { return *place_; }
  const std::string& log() const noexcept { return log_name_; }

 private:
  Result<Step> write_beside(storage::AppendLog& log, const storage::CommitGate& gate);
  void remember(storage::LogTail tail, std::uint32_t checksum) noexcept;

  const std::shared_ptr<const Place> place_;
  const SessionId id_;
  const std::string log_name_;
  storage::LogMark mark_;
  const Limits limits_;
  // What was read, and what is to take its place:
  SessionBytes read_;
  SessionPtr session_;
  std::optional<storage::PreparedLog> prepared_;
};

/// The compactions that one store began. They hold nothing of the store, nor of its callers: neither its end
/// nor theirs concerns them. Thread-safe.
class AsideCompactions : public std::enable_shared_from_this<AsideCompactions> {
 public:
  AsideCompactions() {}
  /// Begins that of the session's log, which `due` is of, and returns; unless there is one in this process,
  /// or has failed. What comes of it nobody is told: the log is as it was, or compacted.
  void start(const std::shared_ptr<const Place>& place, const SessionId& id, const storage::LogMark& due,
             const LockOptions& lock, const Limits& limits) noexcept;
  /// Returns when all that were begun have ended.
  storage::asio::awaitable<void> ended();

 private:
  class Running;
  class Job;
  static storage::asio::awaitable<void> run(std::unique_ptr<Job> job);

  std::mutex mutex_;
  // Protected by mutex_:
  std::size_t running_ = 0;
  storage::Waiters waiters_;
};

}  // namespace sessile::json_directory
