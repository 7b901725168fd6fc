#include "session_log.hpp"

#include <algorithm>
#include <utility>

namespace sessile::json_directory {

namespace {

using storage::AppendLog;
using storage::CommitGate;

/// A log is rewritten, with what is written at the time, when it would be larger than both. So in the long
/// run a rewrite of n bytes follows on at least 2 n bytes of records.
constexpr std::uint64_t kSmallLogBytes = 65536;
constexpr std::uint64_t kLogToLiveRatio = 3;
/// What an append's record takes beside its messages, about.
constexpr std::uint64_t kAppendOverheadBytes = 320;
/// Holds the head of nearly every record.
constexpr std::uint64_t kHeadBytes = 4096;

Error corrupt_at(std::string_view detail, const storage::Directory& sessions, const std::string& log,
                 std::uint64_t offset) {
  return Error(Errc::corrupt, detail).with_path((sessions.path() / log).native()).with_offset(offset);
}

/// Says where, for errors that know only what.
Error placed(Error error, const storage::Directory& sessions, const std::string& log, std::uint64_t offset) {
  if (!error.path().empty()) return error;
  error.with_path((sessions.path() / log).native());
  if (!error.offset()) error.with_offset(offset);
  return error;
}

/// The head of the record at `offset`, reading more until it is all there.
Result<RecordHead> read_head(AppendLog& log, std::uint64_t offset, std::uint64_t limit) {
  for (std::uint64_t size = kHeadBytes;; size *= 8) {
    auto bytes = log.read_at(offset, size);
    if (!bytes) return bytes.error();
    auto head = decode_head(storage::leading_members(*bytes));
    if (!head) return head.error();
    if (*head) return std::move(**head);
    if (bytes->size() < size || size > limit) {
      return Error(Errc::corrupt, "there is no record where one is expected");
    }
  }
}

/// The state that the record at `offset`, whose first members are given, stands for.
Result<TailState> tail_state(AppendLog& log, std::uint64_t offset, std::string_view members,
                             std::uint64_t limit) {
  auto decoded = decode_head(members);
  if (!decoded) return decoded.error();
  Result<RecordHead> head = *decoded ? Result<RecordHead>(**decoded) : read_head(log, offset, limit);
  if (!head) return head.error();
  TailState state;
  state.unsettled = head->unsettled;
  if (head->type != RecordType::append) {
    state.base = offset;
    state.summary = std::move(head->summary);
    return state;
  }
  auto base = read_head(log, head->base, limit);
  if (!base) return base.error().with_offset(head->base);
  if (base->type == RecordType::append || head->base >= offset) {
    return Error(Errc::corrupt, "an append names what is no base");
  }
  state.base = head->base;
  state.summary = completed(*head, std::move(base->summary));
  return state;
}

Written current(const SessionSummary& summary) {
  Written written;
  written.revision = summary.revision;
  written.created_at = summary.created_at;
  written.updated_at = summary.updated_at;
  return written;
}

}  // namespace

Result<SessionSummary> read_summary(storage::Directory& sessions, const std::string& log_file,
                                    const Limits& limits) {
  const std::uint64_t limit = log_bytes_limit(limits);
  auto log = AppendLog::open_to_read(sessions, log_file);
  if (!log) return log.error();
  auto tail = log->peek(limit, kHeadBytes);
  if (!tail) return tail.error();
  auto state = tail_state(*log, tail->offset, tail->members, limit);
  if (!state) return placed(state.error(), sessions, log_file, tail->offset);
  if (log_name(state->summary.id) != log_file) {
    return corrupt_at("the log is another session's", sessions, log_file, 0);
  }
  return std::move(state->summary);
}

Result<StoredSession> read_session(storage::Directory& sessions, const SessionId& id, const Limits& limits) {
  const std::string name = log_name(id);
  auto log = AppendLog::open_to_read(sessions, name);
  if (!log) return log.error();
  auto bytes = log->read_all(log_bytes_limit(limits));
  if (!bytes) return bytes.error();
  auto scan = storage::scan_log(*bytes);
  if (!scan) return placed(scan.error(), sessions, name, 0);
  auto state = replay(*scan, limits);
  if (!state) return placed(state.error(), sessions, name, 0);
  if (state->summary.id != id) return corrupt_at("the log is another session's", sessions, name, 0);
  return std::move(state->stored);
}

SessionWriter::SessionWriter(const Place& place, SessionId id, const Stamper& stamper, const Limits& limits)
    : place_(place),
      id_(std::move(id)),
      name_(file_name(id_.str())),
      log_name_(log_name(id_)),
      stamper_(stamper),
      limits_(limits) {}

Result<bool> SessionWriter::open() {
  auto log = AppendLog::open_to_write(*place_.sessions, log_name_);
  if (!log) {
    if (log.error().code() == Errc::not_found) return false;
    return log.error();
  }
  log_.emplace(std::move(*log));
  const std::uint64_t limit = log_bytes_limit(limits_);
  auto tail = log_->tail(limit);
  if (!tail) return tail.error();
  tail_ = std::move(*tail);
  auto state = tail_state(*log_, tail_.offset, tail_.members, limit);
  if (!state) return placed(state.error(), *place_.sessions, log_name_, tail_.offset);
  state_ = std::move(*state);
  if (state_.summary.id != id_) {
    return corrupt_at("the log is another session's", *place_.sessions, log_name_, 0);
  }
  return true;
}

Result<void> SessionWriter::read_whole() {
  if (whole_) return success();
  auto bytes = log_->read_all(log_bytes_limit(limits_));
  if (!bytes) return bytes.error();
  auto scan = storage::scan_log(*bytes);
  if (!scan) return placed(scan.error(), *place_.sessions, log_name_, 0);
  auto state = replay(*scan, limits_);
  if (!state) return placed(state.error(), *place_.sessions, log_name_, 0);
  if (state->summary != state_.summary) {
    return corrupt_at("the summary of the last record is not its session's", *place_.sessions, log_name_,
                      tail_.offset);
  }
  whole_ = std::make_shared<StoredSession>(std::move(state->stored));
  return success();
}

StoredState SessionWriter::stored_state() const {
  return StoredState(state_.summary.revision, state_.summary.created_at, state_.summary.updated_at);
}

Result<Written> SessionWriter::save(const Session& session, const SaveOptions& options, CommitGate& gate) {
  auto exists = open();
  if (!exists) return exists.error();
  std::optional<StoredState> stored;
  std::optional<Revision> revision;
  if (*exists) {
    stored = stored_state();
    revision = state_.summary.revision;
  }
  if (auto expected = check_revision(options.if_revision(), revision); !expected) return expected.error();
  if (*exists) {
    if (auto whole = read_whole(); !whole) return whole.error();
  }
  const Written written = stamper_.next(stored, session, options.times());
  Session next = stamped(session, written);
  next.stored_bytes = options.measured_bytes();
  if (auto stored_now = write(next, *options.durability(), gate); !stored_now) return stored_now.error();
  return written;
}

Result<SessionPtr> SessionWriter::begin_update(const UpdateOptions& options) {
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  if (auto expected = check_revision(options.if_revision(), state_.summary.revision); !expected) {
    return expected.error();
  }
  if (auto whole = read_whole(); !whole) return whole.error();
  return SessionPtr(whole_, &whole_->session);
}

Result<SessionPtr> SessionWriter::finish_update(std::shared_ptr<Session> changed,
                                                const UpdateOptions& options, CommitGate& gate) {
  const Written written = stamper_.next(stored_state(), *changed, Times::stamp);
  changed->revision = written.revision;
  changed->created_at = written.created_at;
  changed->updated_at = written.updated_at;
  if (auto stored = write(*changed, *options.durability(), gate); !stored) return stored.error();
  return SessionPtr(std::move(changed));
}

Result<void> SessionWriter::write(const Session& next, Durability durability, CommitGate& gate) {
  if (auto entries = prepare_entries(next.agent_id, durability); !entries) return entries;
  if (!log_) {
    return storage::replace_log(*place_.sessions, log_name_, 1, encode_snapshot(next, AppendMemory(), true),
                                durability, gate);
  }
  const bool unsettled = durability != Durability::power;
  auto members = encode_patch(whole_->session, next, unsettled);
  if (!members) members = encode_snapshot(next, whole_->appends, unsettled);
  auto stored = must_be_replaced(members->size(), next.stored_bytes)
                    ? replace(next, whole_->appends, gate)
                    : log_->append(tail_, *members, durability, gate);
  if (!stored) return stored;
  // Only when the log's move is durable: until then the old entry may be needed again. Readers overlook it.
  if (next.agent_id != state_.summary.agent_id && durability == Durability::power) {
    place_.drop_from_index(state_.summary.agent_id, name_);
  }
  return success();
}

Result<void> SessionWriter::prepare_entries(const AgentId& agent, Durability durability) {
  const bool settle = log_ && state_.unsettled && durability == Durability::power;
  if (!log_ || settle || agent != state_.summary.agent_id) {
    if (auto indexed = place_.add_to_index(agent, name_, durability); !indexed) return indexed;
  }
  return settle ? place_.sync_sessions() : success();
}

bool SessionWriter::must_be_replaced(std::uint64_t more_bytes, std::uint64_t live_bytes) const {
  const std::uint64_t bytes = tail_.end + more_bytes;
  return bytes > std::max(kSmallLogBytes, kLogToLiveRatio * live_bytes) || log_->must_be_replaced();
}

Result<void> SessionWriter::replace(const Session& next, const AppendMemory& appends, CommitGate& gate) {
  // Synced even for a write that promises less: what it replaces was durable.
  return storage::replace_log(*place_.sessions, log_name_, tail_.seq + 1,
                              encode_snapshot(next, appends, true), Durability::power, gate);
}

Result<Written> SessionWriter::append(const std::vector<Message>& messages, const AppendOptions& options,
                                      CommitGate& gate) {
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  RecordHead head;
  head.type = RecordType::append;
  head.key = options.idempotency_key();
  if (!head.key.empty()) {
    head.fingerprint = fingerprint(messages);
    if (auto whole = read_whole(); !whole) return whole.error();
    auto known = whole_->appends.find(head.key, head.fingerprint);
    if (!known) return known.error();
    if (*known) {
      // The first call may have promised less than this one, or was killed before it had synced.
      if (*options.durability() == Durability::power) {
        if (auto settled = settle(); !settled) return settled.error();
      }
      return **known;
    }
  }
  if (auto expected = check_revision(options.if_revision(), state_.summary.revision); !expected) {
    return expected.error();
  }
  if (messages.empty()) return current(state_.summary);
  const std::uint64_t bytes = state_.summary.stored_bytes + options.measured_bytes();
  if (bytes > limits_.session_bytes) {
    return Error(Errc::too_large, "the session would exceed its limit");
  }
  const Written written = stamper_.next(stored_state(), Session(id_), Times::stamp);
  head.base = state_.base;
  head.unsettled = *options.durability() != Durability::power;
  head.summary = state_.summary;
  head.summary.revision = written.revision;
  head.summary.updated_at = written.updated_at;
  head.summary.message_count += messages.size();
  head.summary.stored_bytes = bytes;
  auto stored = append_record(messages, std::move(head), *options.durability(), gate);
  if (!stored) return stored.error();
  return written;
}

Result<void> SessionWriter::append_record(const std::vector<Message>& messages, RecordHead head,
                                          Durability durability, CommitGate& gate) {
  const auto is_user = [](const Message& message) { return message.role == "user"; };
  // Until there is a title, a user's message may make one: then all of the summary is written again.
  const bool may_get_title =
      head.summary.title.empty() && std::any_of(messages.begin(), messages.end(), is_user);
  const std::uint64_t more = head.summary.stored_bytes - state_.summary.stored_bytes + kAppendOverheadBytes;
  const bool rewrite = must_be_replaced(more, head.summary.stored_bytes);
  if (auto entries = prepare_entries(head.summary.agent_id, durability); !entries) return entries;
  if (!rewrite && !may_get_title) {
    return log_->append(tail_, encode_append(head, messages), durability, gate);
  }
  if (auto whole = read_whole(); !whole) return whole;
  Session& next = whole_->session;
  next.messages.insert(next.messages.end(), messages.begin(), messages.end());
  next.revision = head.summary.revision;
  next.updated_at = head.summary.updated_at;
  next.stored_bytes = head.summary.stored_bytes;
  if (!rewrite) {
    head.summary.title = title_of(next);
    return log_->append(tail_, encode_patch(head, messages), durability, gate);
  }
  if (!head.key.empty()) {
    whole_->appends.remember(std::move(head.key), std::move(head.fingerprint), current(head.summary));
  }
  return replace(next, whole_->appends, gate);
}

Result<void> SessionWriter::remove(const RemoveOptions& options, CommitGate& gate) {
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  // What cannot be read is not removed either: it may be all that is left of somebody's work.
  if (auto whole = read_whole(); !whole) return whole;
  if (auto expected = check_revision(options.if_revision(), state_.summary.revision); !expected) {
    return expected;
  }
  // Also when the removal fails: then it only makes a number unused.
  stamper_.retired(state_.summary.revision);
  auto removed = storage::remove_log(*place_.sessions, log_name_, *options.durability(), gate);
  if (!removed) return removed;
  // Only when the removal is durable: until then the session may come back, and needs its entry.
  if (*options.durability() == Durability::power) place_.drop_from_index(state_.summary.agent_id, name_);
  return success();
}

Result<void> SessionWriter::settle() {
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return place_.sync_sessions();
  if (log_->must_be_replaced()) {
    if (auto whole = read_whole(); !whole) return whole;
    CommitGate gate;
    return replace(whole_->session, whole_->appends, gate);
  }
  if (auto entries = prepare_entries(state_.summary.agent_id, Durability::power); !entries) return entries;
  return log_->sync();
}

}  // namespace sessile::json_directory
