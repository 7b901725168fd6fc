#include "log_reading.hpp"

#include "layout.hpp"

#include <map>
#include <utility>
#include <vector>

namespace sessile::json_directory {

using storage::AppendLog;
using storage::LogRecord;
using storage::LogTail;

namespace {

/// Holds the head of nearly every record.
constexpr std::uint64_t kHeadBytes = 4096;
/// More than this is work for the pool: to parse, and to read and compare.
constexpr std::uint64_t kParsedAtOnce = 65536;
constexpr std::uint64_t kComparedAtOnce = 262144;

/// The first bytes of a record, with its head among them.
class RecordStart {
 public:
  RecordStart(std::string bytes_, RecordHead head_) : bytes(std::move(bytes_)), head(std::move(head_)) {}
  std::string bytes;
  RecordHead head;
};

/// How much to read when `size` was not enough; never more than `limit`.
std::uint64_t longer(std::uint64_t size, std::uint64_t limit) {
  return std::max(size, std::min(size * 8, limit));
}

/// The head of the record at `offset`, reading more until it is all there.
Result<RecordStart> read_start(AppendLog& log, std::uint64_t offset, std::uint64_t limit) {
  for (std::uint64_t size = kHeadBytes;; size = longer(size, limit)) {
    auto bytes = log.read_at(offset, size);
    if (!bytes) return bytes.error();
    auto head = decode_head(storage::leading_members(*bytes));
    if (!head) return head.error().with_offset(offset);
    if (*head) return RecordStart(std::move(*bytes), std::move(**head));
    if (bytes->size() < size || size >= limit) {
      return Error(Errc::corrupt, "there is no record where one is expected").with_offset(offset);
    }
  }
}

/// The whole line at `offset`, without its newline.
Result<std::string> read_line(AppendLog& log, std::uint64_t offset, std::uint64_t limit) {
  for (std::uint64_t size = kHeadBytes * 8;; size = longer(size, limit)) {
    auto bytes = log.read_at(offset, size);
    if (!bytes) return bytes.error();
    const std::size_t end = bytes->find('\n');
    if (end == std::string::npos && bytes->size() == size && size < limit) continue;
    bytes->resize(std::min(end, bytes->size()));
    return bytes;
  }
}

/// What the snapshot at `offset` remembers. Its list is under the record's own checksum only.
Result<AppendMemory> read_snapshot_appends(AppendLog& log, std::uint64_t offset, const Limits& limits) {
  auto line = read_line(log, offset, log_bytes_limit(limits));
  if (!line) return line.error();
  const auto record = storage::check_record(*line);
  if (!record) return Error(Errc::corrupt, "a snapshot does not match its checksum").with_offset(offset);
  return snapshot_appends(record->members, limits);
}

Result<SessionBytes> replay_bytes(std::string bytes, std::uint64_t from, const Limits& limits) {
  auto scan = storage::scan_log(bytes);
  if (!scan) return scan.error();
  SessionBytes read;
  const LogRecord& last = scan->records.back();
  read.tail.seq = last.seq;
  read.tail.offset = from + last.offset;
  read.tail.end = from + scan->end;
  read.tail.newline_missing = scan->newline_missing;
  read.tail.torn = scan->torn;
  if (!scan->newline_missing) {
    read.tail.ending =
        storage::checksum_of_ending(std::string_view(bytes).substr(last.offset, last.line.size() + 1));
  }
  if (const std::size_t first = last_snapshot(*scan); first < scan->records.size()) {
    const std::uint64_t begin = scan->records[first].offset;
    read.checksum = storage::checksum(std::string_view(bytes).substr(begin, scan->end - begin));
  }
  for (auto& record : scan->records)
    record.offset += from;
  auto replayed = replay(*scan, limits, &bytes);
  if (!replayed) return replayed.error();
  read.replayed = std::move(*replayed);
  return read;
}

Result<SessionBytes> read_whole_log(AppendLog& log, const Limits& limits) {
  auto bytes = log.read_all(log_bytes_limit(limits));
  if (!bytes) return bytes.error();
  const std::uint64_t size = bytes->size();
  auto read = replay_bytes(std::move(*bytes), 0, limits);
  if (read) read->tail.size = size;
  return read;
}

/// The bytes of a log from its last snapshot on.
class BytesFromSnapshot {
 public:
  std::uint64_t from = 0;
  std::string bytes;
  LogTail tail;
};

/// Empty when all of the log has to be read.
std::optional<BytesFromSnapshot> bytes_from_snapshot(AppendLog& log, const Limits& limits) {
  const std::uint64_t limit = log_bytes_limit(limits);
  auto tail = log.peek(limit, kHeadBytes);
  if (!tail || tail->torn || tail->newline_missing) return std::nullopt;
  const auto from = snapshot_offset(tail->members, tail->offset);
  if (!from || *from > tail->offset || tail->end - *from > limit) return std::nullopt;
  auto bytes = log.read_at(*from, tail->end - *from);
  if (!bytes) return std::nullopt;
  BytesFromSnapshot found;
  found.from = *from;
  found.bytes = std::move(*bytes);
  found.tail = std::move(*tail);
  return found;
}

/// Empty when all of the log has to be read.
std::optional<SessionBytes> read_from_snapshot(AppendLog& log, const Limits& limits) {
  auto found = bytes_from_snapshot(log, limits);
  if (!found) return std::nullopt;
  auto read = replay_bytes(std::move(found->bytes), found->from, limits);
  if (!read || read->replayed.from != found->from || read->tail.end != found->tail.end) return std::nullopt;
  read->tail.size = found->tail.size;
  return std::move(*read);
}

/// The session with its last `most` messages; null when it has to be read whole, also to see what is wrong.
SessionPtr read_in_part(AppendLog& log, const SessionId& id, const Limits& limits, std::uint64_t most) {
  const auto found = bytes_from_snapshot(log, limits);
  if (!found || found->bytes.size() <= kParsedAtOnce) return nullptr;
  auto scan = storage::scan_log(found->bytes);
  if (!scan || scan->torn || scan->newline_missing || found->from + scan->end != found->tail.end) {
    return nullptr;
  }
  // The bases that records name are places in the log.
  for (auto& record : scan->records)
    record.offset += found->from;
  auto replayed = replay_last_messages(*scan, limits, most);
  if (!replayed || replayed->from != found->from || replayed->summary.id != id) return nullptr;
  return std::make_shared<const Session>(std::move(replayed->stored.session));
}

}  // namespace

Error corrupt_at(std::string_view detail, const storage::Directory& sessions, const std::string& log,
                 std::uint64_t offset) {
  return Error(Errc::corrupt, detail).with_path((sessions.path() / log).native()).with_offset(offset);
}

Error placed(Error error, const storage::Directory& sessions, const std::string& log, std::uint64_t offset) {
  if (!error.path().empty()) return error;
  error.with_path((sessions.path() / log).native());
  if (!error.offset()) error.with_offset(offset);
  return error;
}

Result<TailState> tail_state(AppendLog& log, std::uint64_t offset, std::string_view members,
                             std::uint64_t limit) {
  auto decoded = decode_head(members);
  if (!decoded) return decoded.error();
  if (!*decoded) {
    auto start = read_start(log, offset, limit);
    if (!start) return start.error();
    *decoded = std::move(start->head);
  }
  RecordHead& head = **decoded;
  TailState state;
  state.unsettled = head.unsettled;
  state.synced = head.synced && offset == 0;
  state.base = offset;
  state.from = head.type == RecordType::snapshot ? std::optional(offset) : head.from;
  state.keyed = head.type == RecordType::snapshot || !head.key.empty() ? std::optional(offset) : head.keyed;
  if (head.type != RecordType::append) {
    state.summary = std::move(head.summary);
    return state;
  }
  if (head.base >= offset) return Error(Errc::corrupt, "an append names what is no base");
  auto base = read_start(log, head.base, limit);
  if (!base) return base.error();
  if (base->head.type == RecordType::append) {
    return Error(Errc::corrupt, "an append names what is no base");
  }
  state.base = head.base;
  state.summary = completed(head, std::move(base->head.summary));
  return state;
}

Result<TailState> last_state(AppendLog& log, std::uint64_t limit, std::uint64_t head_bytes, LogTail& tail) {
  auto found = log.peek(limit, head_bytes);
  if (!found) return found.error();
  tail = std::move(*found);
  auto state = tail_state(log, tail.offset, tail.members, limit);
  if (tail.checked || (state && state->synced)) return state;
  found = log.tail(limit);
  if (!found) return found.error();
  tail = std::move(*found);
  return tail_state(log, tail.offset, tail.members, limit);
}

Result<AppendMemory> read_appends(AppendLog& log, const TailState& state, const Limits& limits) {
  const std::uint64_t limit = log_bytes_limit(limits);
  std::vector<RecordHead> keyed;  // the latest first
  AppendMemory memory;
  std::map<std::uint64_t, SessionSummary> bases;
  for (std::uint64_t at = *state.keyed, before = at + 1; keyed.size() < kRememberedAppends;) {
    if (at >= before) return Error(Errc::corrupt, "a record names a later one").with_offset(before);
    auto start = read_start(log, at, limit);
    if (!start) return start.error();
    RecordHead& head = start->head;
    if (head.type == RecordType::snapshot) {
      if (has_no_appends(start->bytes)) break;
      auto first = read_snapshot_appends(log, at, limits);
      if (!first) return first.error();
      memory = std::move(*first);
      break;
    }
    if (head.key.empty() || !head.keyed) {
      return Error(Errc::corrupt, "a record with a key is not where it is looked for").with_offset(at);
    }
    if (head.type == RecordType::append) {
      if (!bases.contains(head.base)) {
        auto base = read_start(log, head.base, limit);
        if (!base) return base.error();
        bases.emplace(head.base, std::move(base->head.summary));
      }
      head.summary = completed(head, bases.at(head.base));
    }
    before = at;
    at = *head.keyed;
    keyed.push_back(std::move(head));
  }
  for (auto head = keyed.rbegin(); head != keyed.rend(); ++head)
    memory.remember(head->key, head->fingerprint, written_of(head->summary));
  return memory;
}

Result<SessionSummary> read_summary(storage::Directory& sessions, const std::string& log_file,
                                    const Limits& limits) {
  const std::uint64_t limit = log_bytes_limit(limits);
  auto log = AppendLog::open_to_read(sessions, log_file);
  if (!log) return log.error();
  LogTail tail;
  auto state = last_state(*log, limit, kHeadBytes, tail);
  if (!state) return placed(state.error(), sessions, log_file, tail.offset);
  if (log_name(state->summary.id) != log_file) {
    return corrupt_at("the log is another session's", sessions, log_file, 0);
  }
  return std::move(state->summary);
}

Result<SessionBytes> read_bytes(AppendLog& log, const storage::Directory& sessions, const SessionId& id,
                                const Limits& limits) {
  const std::string name = log_name(id);
  auto fast = read_from_snapshot(log, limits);
  Result<SessionBytes> read = fast ? Result<SessionBytes>(std::move(*fast)) : read_whole_log(log, limits);
  if (!read) return placed(read.error(), sessions, name, 0);
  if (read->replayed.summary.id != id) return corrupt_at("the log is another session's", sessions, name, 0);
  return read;
}

namespace {

/// The session in memory, when the log holds the very bytes that it was read from; null when it does not.
Result<SessionPtr> unchanged(AppendLog& log, const std::optional<LoadedSession>& known,
                             const Limits& limits) {
  if (!known || known->limits != limits) return SessionPtr();
  auto same = log.holds(known->identity, known->born, known->from, known->end, known->checksum);
  if (!same) return same.error();
  return *same ? known->session : SessionPtr();
}

/// Whether other sessions may be forgotten for the one that is read.
enum class Remember { always, if_room };

Result<SessionPtr> parse_session(AppendLog& log, storage::Directory& sessions, LogCache& cache,
                                 const SessionId& id, const Limits& limits, Remember remember) {
  auto read = read_bytes(log, sessions, id, limits);
  if (!read) return read.error();
  auto session = std::make_shared<const Session>(std::move(read->replayed.stored.session));
  auto known = known_log(log, std::move(*read), session, limits);
  if (known && remember == Remember::always) {
    cache.offer(sessions, log_name(id), std::move(known));
  } else if (known) {
    cache.offer_if_room(sessions, log_name(id), std::move(known));
  }
  return SessionPtr(std::move(session));
}

Result<SessionPtr> read_and_remember(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                     const Limits& limits, std::optional<std::uint64_t> last_messages,
                                     Remember remember) {
  const std::string name = log_name(id);
  auto log = AppendLog::open_to_read(sessions, name);
  if (!log) return log.error();
  auto known = unchanged(*log, cache.loaded(sessions, name), limits);
  if (!known || *known) return known;
  if (last_messages) {
    if (auto part = read_in_part(*log, id, limits, *last_messages)) return part;
  }
  return parse_session(*log, sessions, cache, id, limits, remember);
}

}  // namespace

Result<SessionPtr> read_session(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                const Limits& limits, std::optional<std::uint64_t> last_messages) {
  return read_and_remember(sessions, cache, id, limits, last_messages, Remember::always);
}

Result<SessionPtr> read_one_of_many(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                    const Limits& limits) {
  return read_and_remember(sessions, cache, id, limits, std::nullopt, Remember::if_room);
}

SessionPtr read_session_at_once(storage::Directory& sessions, LogCache& cache, const SessionId& id,
                                const Limits& limits) {
  const std::string name = log_name(id);
  auto log = AppendLog::open_cached(sessions, name);
  if (!log) return nullptr;
  const auto loaded = cache.loaded(sessions, name);
  if (loaded && loaded->end - loaded->from <= kComparedAtOnce) {
    const auto known = unchanged(*log, loaded, limits);
    if (!known || *known) return known ? *known : nullptr;
  }
  const auto size = log->size();
  if (!size || *size > kParsedAtOnce) return nullptr;
  auto session = parse_session(*log, sessions, cache, id, limits, Remember::always);
  return session ? *session : nullptr;
}

std::unique_ptr<KnownLog> known_log(AppendLog& log, SessionBytes read, SessionPtr session,
                                    const Limits& limits) {
  if (read.tail.torn || read.tail.newline_missing) return nullptr;
  auto mark = log.mark(read.tail);
  if (!mark) return nullptr;
  auto known = std::make_unique<KnownLog>();
  known->mark = *mark;
  known->state.summary = std::move(read.replayed.summary);
  known->state.base = read.replayed.base;
  known->state.from = read.replayed.from;
  known->state.keyed = read.replayed.keyed;
  known->state.unsettled = read.replayed.unsettled;
  known->content.base = session;
  known->exact = true;
  known->appends = std::make_shared<const AppendMemory>(std::move(read.replayed.stored.appends));
  LoadedSession& loaded = known->loaded.emplace();
  loaded.session = std::move(session);
  loaded.identity = mark->identity;
  loaded.born = mark->born;
  loaded.from = read.replayed.from;
  loaded.end = mark->end;
  loaded.checksum = read.checksum;
  loaded.limits = limits;
  return known;
}

}  // namespace sessile::json_directory
