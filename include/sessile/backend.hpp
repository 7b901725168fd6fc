// For those who write a backend: the rules every store shares, so that none has its own version of them.
#pragma once

#include <sessile/json.hpp>
#include <sessile/mutation.hpp>
#include <sessile/results.hpp>

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile {

/// What is stored about a session before a write.
class StoredState {
 public:
  StoredState() noexcept {}
  StoredState(Revision revision_, Timestamp created, Timestamp updated)
      : revision(revision_), created_at(std::move(created)), updated_at(std::move(updated)) {}
  Revision revision = 0;
  Timestamp created_at;
  Timestamp updated_at;
};

/// Compare-and-swap's comparison. Errors: conflict, with both numbers.
Result<void> check_revision(const RevisionCheck& check, const std::optional<Revision>& stored);

/// Hands out what a write is stamped with. One per store object. Thread-safe.
///
/// Invariant: the first revision of a session is greater than every revision retired() in this object before,
/// so a session that was removed and made again never repeats one, even on a clock that stands still.
class Stamper {
 public:
  explicit Stamper(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}
  /// The stamp for a write over `stored` (empty: a creation). With Times::preserve the times of `session` are
  /// kept where they are set.
  Written next(const std::optional<StoredState>& stored, const Session& session, Times times) const;
  /// Notes the last revision of a removed session.
  void retired(Revision revision) const noexcept;
  TimePoint now() const noexcept { return clock_->now(); }

 private:
  std::shared_ptr<const Clock> clock_;
  mutable std::atomic<Revision> floor_{0};
};

/// `session` as stored by a write that was stamped `written`.
Session stamped(Session session, const Written& written);

/// Appends encode_session(stamped(session, stamp)) to `out`, without copying the session.
void write_session(std::string& out, const Session& session, const Written& stamp);

/// Runs `mutation` on a copy of `current`. Returns the changed session, measured against `limits`, or null
/// when nothing changed. Errors: those of the mutation and of measure; a changed id; what was thrown
/// (invalid_argument).
Result<std::shared_ptr<Session>> apply_mutation(const Session& current, const Mutation& mutation,
                                                const Limits& limits);

/// `session` with what `options` leaves out left out, and marked; the same pointer when that is nothing.
SessionPtr partial_view(SessionPtr session, const LoadOptions& options);

/// True when `summary` passes the filters of `query` (not its cursor).
bool matches(const SessionSummary& summary, const ListQuery& query);

/// The place in a listing that a cursor stands for.
class CursorPosition {
 public:
  CursorPosition() {}
  TimePoint updated_at;
  SessionId id;
};

/// Decodes query.cursor(); empty when there is none. Errors: invalid_argument when it is malformed, or was
/// made for another filter or order.
Result<std::optional<CursorPosition>> decode_cursor(const ListQuery& query);
/// The cursor that continues after `last`.
std::string encode_cursor(const ListQuery& query, const SessionSummary& last);
/// True when `summary` comes after `position` in the order of `query`.
bool comes_after(const SessionSummary& summary, const CursorPosition& position, Order order);

/// Filters, orders and cuts the summaries of a whole store into the page that `query` asks for. For backends
/// without an index. Errors: as decode_cursor.
Result<Page<SessionSummary>> make_page(std::vector<SessionSummary> all, std::vector<Error> unreadable,
                                       const ListQuery& query);

/// How many idempotency keys a session remembers.
inline constexpr std::size_t kRememberedAppends = 64;

/// 128 bits, as hex, that tell one list of messages from another.
std::string fingerprint(const std::vector<Message>& messages);

/// The appends a session remembers by their idempotency keys, oldest first; at most kRememberedAppends.
class AppendMemory {
 public:
  class Entry {
   public:
    Entry() {}
    std::string key;
    std::string fingerprint;
    Written written;
  };
  AppendMemory() {}
  /// The first Written of `key`, replayed set; empty when the key is not remembered. Errors: invalid_argument
  /// when it is, but for other messages.
  Result<std::optional<Written>> find(std::string_view key, std::string_view fingerprint) const;
  void remember(std::string key, std::string fingerprint, const Written& written);
  const std::deque<Entry>& entries() const noexcept { return entries_; }

  json::value to_json() const;
  static Result<AppendMemory> from_json(const json::value& value);

 private:
  std::deque<Entry> entries_;
};

/// A session and what a store remembers beside it.
class StoredSession {
 public:
  StoredSession() {}
  explicit StoredSession(Session value) : session(std::move(value)) {}
  Session session;
  AppendMemory appends;
};

/// The newest document format this library reads and the one it writes.
inline constexpr int kFormatVersion = 1;

/// The document of a session as a file: the fields of its summary first, each field and message on a line of
/// its own. docs/formats.md has the grammar. Precondition: measure(session) succeeded.
std::string encode_document(const Session& session, const AppendMemory& appends);
/// The same of stamped(session, stamp), without copying the session.
std::string encode_document(const Session& session, const Written& stamp, const AppendMemory& appends);

/// Reads such a document, or another program's (see decode_session), whose revision is then a hash of its
/// bytes.
Result<StoredSession> decode_document(std::string_view text, const Limits& limits);

/// Reads the summary from the first bytes of a document. Empty when `head` does not hold all of it: read
/// more, or, when `head` is the whole document, decode it. stored_bytes is left at 0.
std::optional<SessionSummary> decode_head(std::string_view head);

/// 52 bits of a document's bytes: the revision of one that has none.
Revision content_revision(std::string_view text);

/// The name, without extension, under which an id is filed: letters, digits, `_`, `-` and `.` stand for
/// themselves, all else and a leading dot is %XX; longer than 180 bytes: a prefix, `%~` and the SHA-256 of
/// the id. One id has one name, and a name is always one safe path component. An empty agent is `%-`.
std::string file_name(std::string_view id);
/// The id of such a name; empty when it is not one, or is of the long form.
std::optional<std::string> id_of_file_name(std::string_view name);
/// True when `text` itself is one safe path component: not empty, `.` or `..`, no `/`, NUL or control
/// character, no leading dot, at most 180 bytes.
bool is_plain_file_name(std::string_view text) noexcept;

}  // namespace sessile
