// The records of a session's log: what is in them, and the session that they add up to.
#pragma once

#include "storage/log_record.hpp"

#include <sessile/backend.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sessile::json_directory {

enum class RecordType {
  snapshot,  ///< the whole session
  patch,     ///< what changed in it, and its whole summary
  append,    ///< messages; its summary is that of the record at `base` with the fields it has itself
};

/// The beginning of a record, under a checksum of its own, so that a listing need not read what follows.
class RecordHead {
 public:
  RecordHead() {}
  RecordType type = RecordType::snapshot;
  /// stored_bytes: the session as compact JSON. Of an append only revision, updated_at, message_count and
  /// stored_bytes are set.
  SessionSummary summary;
  std::uint64_t base = 0;  ///< append: offset of the last snapshot or patch before it
  /// Patch and append, empty in logs of earlier versions. The offsets of the last snapshot before it, and of
  /// the last record before it that has a key or is a snapshot.
  std::optional<std::uint64_t> from;
  std::optional<std::uint64_t> keyed;
  /// The record was synced before its file got its name: it is never torn.
  bool synced = false;
  /// The log's entries in directories may not be durable: a write that promises more must sync them first.
  bool unsettled = false;
  std::string key;  ///< the append's idempotency key; empty: none
  std::string fingerprint;
};

/// The largest log that is read: sessions within the limits never have a larger one, see CompactionSettings.
std::uint64_t log_bytes_limit(const Limits& limits) noexcept;

/// The members of a record, for AppendLog. Precondition: all that is given was measured, and `head` is
/// complete.
std::string encode_snapshot(const RecordHead& head, const Session& session, const AppendMemory& appends);
std::string encode_append(const RecordHead& head, const std::vector<Message>& messages);
/// `body`: members, each after a comma; see change_between and add_messages.
std::string encode_patch(const RecordHead& head, std::string_view body);
/// Appends the member `messages`, with those from `first` on, when there are any.
void add_messages(std::string& to, const std::vector<Message>& messages, std::size_t first);

Written written_of(const SessionSummary& summary);

/// Where the last snapshot begins, by the members, or their first bytes, of the record at `offset`; empty
/// when they do not say so. Nothing is checked: what is found there must be.
std::optional<std::uint64_t> snapshot_offset(std::string_view members, std::uint64_t offset) noexcept;

/// Reads the head of a record from its members, or from their first bytes; empty when they do not hold all of
/// it. Errors: corrupt, unsupported (a type of record that a later version wrote).
Result<std::optional<RecordHead>> decode_head(std::string_view members);

/// `head`'s summary, completed by that of the record at its base. Precondition: `head` is an append.
SessionSummary completed(const RecordHead& head, SessionSummary base);

/// The state a log adds up to.
class Replayed {
 public:
  Replayed() {}
  StoredSession stored;
  SessionSummary summary;
  std::uint64_t base = 0;   ///< offset of the last snapshot or patch
  std::uint64_t from = 0;   ///< offset of the last snapshot
  std::uint64_t keyed = 0;  ///< offset of the last record that has a key or is a snapshot
  bool unsettled = false;
};

/// True when `line_start`, which has the whole head of a snapshot, shows that it remembers none.
bool has_no_appends(std::string_view line_start) noexcept;
/// The idempotency keys in a snapshot's members. Errors: corrupt.
Result<AppendMemory> snapshot_appends(std::string_view members, const Limits& limits);

/// By a record's members, or their first bytes: none but a snapshot begins as one.
bool is_snapshot(std::string_view members) noexcept;
/// Errors: unsupported for a record that only a later version knows how to read; none for what is no record
/// at all.
Result<void> check_type(const storage::LogRecord& record, const Limits& limits);
/// The index of the last snapshot; records.size() when there is none.
std::size_t last_snapshot(const storage::LogScan& scan) noexcept;

/// Replays the records from the last snapshot on. `spent`, the bytes that `scan` views, is emptied as soon as
/// they are not needed any more, before the session is made of what was parsed: there may not be room for
/// both. Errors: corrupt with offset(), too_large, unsupported.
Result<Replayed> replay(const storage::LogScan& scan, const Limits& limits, std::string* spent = nullptr);

/// The same with the last `most` messages only: the others are not parsed. The session is partial when that
/// left any out. Whatever goes wrong is to be told by replay(), which sees all. Precondition: as replay().
Result<Replayed> replay_last_messages(const storage::LogScan& scan, const Limits& limits, std::uint64_t most);

}  // namespace sessile::json_directory
