// What the operations do to one session's log. All of it blocks, and runs on the pool.
#pragma once

#include "layout.hpp"
#include "records.hpp"
#include "storage/append_log.hpp"

#include <sessile/backend.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sessile::json_directory {

/// What a log tells of its session without being read as a whole.
class TailState {
 public:
  TailState() {}
  SessionSummary summary;
  std::uint64_t base = 0;
  bool unsettled = false;
};

/// The summary by the last record of the log `name`: reads a bounded number of bytes, whatever the size of
/// the session. Errors: not_found, corrupt, too_large, unsupported, io.
Result<SessionSummary> read_summary(storage::Directory& sessions, const std::string& log,
                                    const Limits& limits);

/// The whole session, through one descriptor. Errors: as read_summary; another id in it: corrupt.
Result<StoredSession> read_session(storage::Directory& sessions, const SessionId& id, const Limits& limits);

/// Writes one session's log. Constructed, used for one operation and dropped under the session's lock; the
/// place must outlive it.
class SessionWriter {
 public:
  SessionWriter(const Place& place, SessionId id, const Stamper& stamper, const Limits& limits);

  /// The operations of SessionStore, once the lock is held. Each asks `gate` right before its commit point.
  Result<Written> save(const Session& session, const SaveOptions& options, storage::CommitGate& gate);
  Result<Written> append(const std::vector<Message>& messages, const AppendOptions& options,
                         storage::CommitGate& gate);
  Result<void> remove(const RemoveOptions& options, storage::CommitGate& gate);

  /// The two halves of an update: what is stored, and what the mutation made of it. The lock is held from
  /// before the first to after the second.
  Result<SessionPtr> begin_update(const UpdateOptions& options);
  Result<SessionPtr> finish_update(std::shared_ptr<Session> changed, const UpdateOptions& options,
                                   storage::CommitGate& gate);

  /// Makes what is stored durable. A session that is gone is durably so.
  Result<void> settle();

 private:
  /// Opens the log and reads its tail. False: there is none.
  Result<bool> open();
  /// Reads all of it. Precondition: open() was true.
  Result<void> read_whole();
  /// Makes sure that the index entries and the log's own are as durable as a write will promise.
  Result<void> prepare_entries(const AgentId& agent, Durability durability);
  /// Stores `next`, already stamped and measured.
  Result<void> write(const Session& next, Durability durability, storage::CommitGate& gate);
  Result<void> append_record(const std::vector<Message>& messages, RecordHead head, Durability durability,
                             storage::CommitGate& gate);
  Result<void> replace(const Session& next, const AppendMemory& appends, storage::CommitGate& gate);
  bool must_be_replaced(std::uint64_t more_bytes, std::uint64_t live_bytes) const;
  StoredState stored_state() const;

  const Place& place_;
  const SessionId id_;
  const std::string name_;
  const std::string log_name_;
  const Stamper& stamper_;
  const Limits& limits_;
  std::optional<storage::AppendLog> log_;
  storage::LogTail tail_;
  TailState state_;
  std::shared_ptr<StoredSession> whole_;
};

}  // namespace sessile::json_directory
