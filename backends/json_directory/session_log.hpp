// What the writing operations do to one session's log. All of it blocks, and runs on the pool.
#pragma once

#include "layout.hpp"
#include "log_reading.hpp"
#include "records.hpp"
#include "storage/append_log.hpp"

#include <sessile/backend.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sessile::json_directory {

/// Writes one session's log. Constructed, used for one operation and dropped; each member but the destructor
/// is called while the caller holds the session's lock. The place must outlive it.
///
/// What it learns of the log it leaves in the place's cache, for the next one.
class SessionWriter {
 public:
  using Messages = std::shared_ptr<const std::vector<Message>>;

  SessionWriter(const Place& place, SessionId id, const Stamper& stamper, const Limits& limits);
  ~SessionWriter();
  SessionWriter(const SessionWriter&) = delete;
  SessionWriter& operator=(const SessionWriter&) = delete;

  /// The operations of SessionStore. Each asks `gate` right before its commit point.
  Result<Written> save(SessionPtr session, const SaveOptions& options, storage::CommitGate& gate);
  Result<Written> append(Messages messages, const AppendOptions& options, storage::CommitGate& gate);
  Result<void> remove(const RemoveOptions& options, storage::CommitGate& gate);

  /// The two halves of an update: what is stored, and what the mutation made of it. The lock is held from
  /// before the first to after the second.
  Result<SessionPtr> begin_update(const UpdateOptions& options);
  Result<SessionPtr> finish_update(std::shared_ptr<Session> changed, const UpdateOptions& options,
                                   storage::CommitGate& gate);

  /// The second half when the mutation changed nothing.
  Result<SessionPtr> finish_unchanged(SessionPtr current, const UpdateOptions& options);

  /// Makes what is stored durable. A session that is gone is durably so.
  Result<void> settle();

  const SessionId& id() const noexcept { return id_; }
  /// Of the log that the operation wrote a record to, when it is to be compacted now, beside its writers.
  const std::optional<storage::LogMark>& leaves_due() const noexcept { return leaves_due_; }

 private:
  class Keeping;

  /// For a write that finds in the open log what it would make: what is there was perhaps written with less
  /// durability than this one promises, or by one who was killed before it had synced.
  Result<void> settle_opened(Durability promised);

  /// Opens the log and learns how it ends: by what is remembered of it, or by reading its end. False: there
  /// is none.
  Result<bool> open();
  Result<void> find_end();
  Result<void> read_end();
  /// Makes sure that all of the session is known. Precondition: open() was true.
  Result<void> read_whole();
  /// The same for the remembered appends.
  Result<void> read_remembered();
  /// Closes the log, and leaves what is known of it in the cache unless a write may have made that wrong.
  void keep() noexcept;

  /// Makes sure that the index entries and the log's own are as durable as a write will promise.
  Result<void> prepare_entries(const AgentId& agent, Durability durability);
  /// Stores `next` as `summary` says.
  Result<void> write(const SessionPtr& next, SessionSummary summary, Durability durability,
                     storage::CommitGate& gate);
  Result<void> create(const SessionPtr& next, RecordHead head, Durability durability,
                      storage::CommitGate& gate);
  /// True when a patch was written.
  Result<bool> write_patch(const Session& next, RecordHead& head, Durability durability,
                           storage::CommitGate& gate);
  Result<void> write_snapshot(const Session& next, RecordHead head, Durability durability,
                              storage::CommitGate& gate);
  Result<void> append_messages(const Messages& messages, RecordHead head, Durability durability,
                               storage::CommitGate& gate);
  /// Appends a record and notes its summary and where things are; the caller notes the content.
  Result<void> add_record(const RecordHead& head, std::string_view members, Durability durability,
                          storage::CommitGate& gate);
  /// Replaces the log by one snapshot, which remembers `appends`.
  Result<void> replace(const Session& next, RecordHead head, const AppendMemory& appends, std::uint64_t room,
                       storage::CommitGate& gate);
  /// Replaces it by a snapshot of what is known, with `added` at its end.
  Result<void> compact(RecordHead head, const Messages& added, std::shared_ptr<const AppendMemory> appends,
                       storage::CommitGate& gate);
  /// Opens the log that has just been written anew; where that fails there is none open, and nothing of it
  /// is remembered.
  void reopen() noexcept;
  Result<std::string> title_after(const std::vector<Message>& messages);
  RecordHead next_head(RecordType type, SessionSummary summary, Durability durability) const;
  /// True when the log must be replaced instead of written to.
  bool must_be_replaced(std::uint64_t more_bytes, std::uint64_t live_bytes) const;
  /// True when a log that is due may grow on for now, being one that is compacted beside its writers.
  bool may_wait(std::uint64_t bytes, std::uint64_t live_bytes) const;
  /// True when this writer is to have it compacted.
  bool is_due() const noexcept;
  StoredState stored_state() const;
  const TailState& state() const noexcept { return known_->state; }

  const Place& place_;
  const SessionId id_;
  const std::string name_;
  const std::string log_name_;
  const Stamper& stamper_;
  const Limits& limits_;
  std::optional<storage::AppendLog> log_;
  storage::LogTail tail_;
  std::unique_ptr<KnownLog> known_;  // set while log_ is
  bool recognised_ = false;          // the log is as this process left it, or read it
  std::optional<storage::LogMark> leaves_due_;
  bool poisoned_ = false;  // the log must be replaced before it is written to
  /// A write has begun, and what is known does not tell yet how it ended. Whatever writes sets it first, and
  /// clears it last, when nothing can be thrown any more: what is in the cache is believed.
  bool uncertain_ = false;
};

}  // namespace sessile::json_directory
