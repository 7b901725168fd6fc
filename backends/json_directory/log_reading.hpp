// What is read from one session's log. All of it blocks.
#pragma once

#include "log_cache.hpp"
#include "records.hpp"
#include "storage/append_log.hpp"

#include <optional>
#include <string>

namespace sessile::json_directory {

Error corrupt_at(std::string_view detail, const storage::Directory& sessions, const std::string& log,
                 std::uint64_t offset);
/// Says where, for errors that know only what.
Error placed(Error error, const storage::Directory& sessions, const std::string& log, std::uint64_t offset);

/// The state that the record at `offset`, whose first members are given, stands for. Errors: corrupt,
/// unsupported, io.
Result<TailState> tail_state(storage::AppendLog& log, std::uint64_t offset, std::string_view members,
                             std::uint64_t limit);

/// The state that the last record stands for, and where that is. Of a record of more than `head_bytes` only
/// so much is read when it was synced under another name: one that was appended may be torn anywhere, and
/// then was never acknowledged. Errors: corrupt, unsupported, too_large, io.
Result<TailState> last_state(storage::AppendLog& log, std::uint64_t limit, std::uint64_t head_bytes,
                             storage::LogTail& tail);

/// The remembered appends, from the records that have them: a bounded number, but for a snapshot that has
/// some itself, which is read as a whole. Precondition: state.keyed is set.
Result<AppendMemory> read_appends(storage::AppendLog& log, const TailState& state, const Limits& limits);

/// The summary by the last record of the log `name`: reads a bounded number of bytes, whatever the size of
/// the session. Errors: not_found, corrupt, too_large, unsupported, io.
Result<SessionSummary> read_summary(storage::Directory& sessions, const std::string& log,
                                    const Limits& limits);

/// The bytes that a session is made of, and what they add up to.
class SessionBytes {
 public:
  SessionBytes() {}
  Replayed replayed;
  storage::LogTail tail;
  std::uint32_t checksum = 0;  ///< of the bytes from replayed.from to tail.end
};

/// Reads the session: from the last snapshot on where the end of the log tells where that is, and all of it
/// where that is not so, or anything does not check out. Errors: as read_summary, with path() and offset().
Result<SessionBytes> read_bytes(storage::AppendLog& log, const storage::Directory& sessions,
                                const SessionId& id, const Limits& limits);

/// What to remember of it for the next operation; null when the log does not end as it should. `session` is
/// that of `read`.
std::unique_ptr<KnownLog> known_log(storage::AppendLog& log, SessionBytes read, SessionPtr session,
                                    const Limits& limits);

/// The session, through one descriptor; from memory when the very bytes were read before. With its last
/// `last_messages` at least, or all: of a longer one the others are read, since the checksum is over all of
/// them, but not parsed. Errors: as read_summary; another id in it: corrupt.
Result<SessionPtr> read_session(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                const Limits& limits,
                                std::optional<std::uint64_t> last_messages = std::nullopt);

/// The whole session, for one who reads many: as read_session, but what others want to have remembered does
/// not go for it.
Result<SessionPtr> read_one_of_many(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                    const Limits& limits);

/// The whole session where that takes neither waiting for the device nor long work: else null, and whoever
/// may block asks read_session, also for what went wrong.
SessionPtr read_session_at_once(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                const Limits& limits);

}  // namespace sessile::json_directory
