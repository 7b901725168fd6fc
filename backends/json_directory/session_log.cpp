#include "session_log.hpp"

#include <algorithm>
#include <utility>

namespace sessile::json_directory {

using storage::AppendLog;
using storage::CommitGate;

namespace {

/// A log is rewritten, with what is written at the time, when it would be larger than both. So in the long
/// run a rewrite of n bytes follows on at least 2 n bytes of records.
constexpr std::uint64_t kSmallLogBytes = std::uint64_t{512} << 10;
constexpr std::uint64_t kLogToLiveRatio = 3;
/// A larger snapshot goes to a new file: it takes no longer, and the log's end stays quick to read.
constexpr std::uint64_t kLargestAppended = std::uint64_t{1} << 20;
/// The last record is read as a whole up to this size, and beyond where it may be torn.
constexpr std::uint64_t kCheckedBytes = 65536;
/// What an append's record takes beside its messages, about.
constexpr std::uint64_t kAppendOverheadBytes = 360;

}  // namespace

/// Calls keep() when an operation ends, however it does.
class SessionWriter::Keeping {
 public:
  explicit Keeping(SessionWriter& writer) noexcept : writer_(writer) {}
  ~Keeping() { writer_.keep(); }
  Keeping(const Keeping&) = delete;
  Keeping& operator=(const Keeping&) = delete;

 private:
  SessionWriter& writer_;
};

SessionWriter::SessionWriter(const Place& place, SessionId id, const Stamper& stamper, const Limits& limits)
    : place_(place),
      id_(std::move(id)),
      name_(file_name(id_.str())),
      log_name_(log_name(id_)),
      stamper_(stamper),
      limits_(limits) {}

SessionWriter::~SessionWriter() {
  keep();
}

void SessionWriter::keep() noexcept {
  auto known = std::move(known_);
  // Closed here, where it may block.
  auto log = std::exchange(log_, std::nullopt);
  if (!known || !log || uncertain_ || tail_.torn || tail_.newline_missing) return;
  try {
    auto mark = log->mark(tail_);
    if (!mark) return;
    known->mark = *mark;
    place_.cache->put(*place_.sessions, log_name_, std::move(known));
  } catch (const std::exception&) {
    // No memory: the next writer reads it.
  }
}

Result<bool> SessionWriter::open() {
  known_ = place_.cache->take(*place_.sessions, log_name_);
  auto log = AppendLog::open_to_write(*place_.sessions, log_name_);
  if (!log) {
    known_.reset();
    if (log.error().code() == Errc::not_found) return false;
    return log.error();
  }
  log_.emplace(std::move(*log));
  if (auto found = find_end(); !found) return found.error();
  poisoned_ = log_->must_be_replaced();
  return true;
}

Result<void> SessionWriter::find_end() {
  if (known_) {
    auto tail = log_->recognise(known_->mark);
    if (!tail) return tail.error();
    if (*tail) return tail_ = std::move(**tail), success();
    known_.reset();
  }
  return read_end();
}

Result<void> SessionWriter::read_end() {
  const std::uint64_t limit = log_bytes_limit(limits_);
  auto tail = log_->peek(limit, kCheckedBytes);
  if (!tail) return tail.error();
  auto state = tail_state(*log_, tail->offset, tail->members, limit);
  // A record that was appended may be torn anywhere; one that was synced under another name is not.
  if (!tail->checked && !(state && state->synced)) {
    tail = log_->tail(limit);
    if (!tail) return tail.error();
    state = tail_state(*log_, tail->offset, tail->members, limit);
  }
  if (!state) return placed(state.error(), *place_.sessions, log_name_, tail->offset);
  if (state->summary.id != id_) {
    return corrupt_at("the log is another session's", *place_.sessions, log_name_, 0);
  }
  tail_ = std::move(*tail);
  tail_.members.clear();
  known_ = std::make_unique<KnownLog>();
  known_->state = std::move(*state);
  return success();
}

Result<void> SessionWriter::read_whole() {
  if (known_->content.base && known_->appends) return success();
  auto read = read_bytes(*log_, *place_.sessions, id_, limits_);
  if (!read) return read.error();
  if (read->replayed.summary != state().summary) {
    return corrupt_at("the summary of the last record is not its session's", *place_.sessions, log_name_,
                      tail_.offset);
  }
  known_->content = KnownContent();
  known_->content.base = std::make_shared<const Session>(std::move(read->replayed.stored.session));
  known_->exact = true;
  known_->appends = std::make_shared<const AppendMemory>(std::move(read->replayed.stored.appends));
  return success();
}

Result<void> SessionWriter::read_remembered() {
  if (known_->appends) return success();
  if (!state().keyed || !state().from) return read_whole();
  auto appends = read_appends(*log_, state(), limits_);
  if (!appends) return placed(appends.error(), *place_.sessions, log_name_, tail_.offset);
  known_->appends = std::make_shared<const AppendMemory>(std::move(*appends));
  return success();
}

StoredState SessionWriter::stored_state() const {
  return StoredState(state().summary.revision, state().summary.created_at, state().summary.updated_at);
}

Result<Written> SessionWriter::save(SessionPtr session, const SaveOptions& options, CommitGate& gate) {
  const Keeping keeping(*this);
  auto exists = open();
  if (!exists) return exists.error();
  std::optional<StoredState> stored;
  std::optional<Revision> revision;
  if (*exists) {
    stored = stored_state();
    revision = stored->revision;
  }
  if (auto expected = check_revision(options.if_revision(), revision); !expected) return expected.error();
  const Written written = stamper_.next(stored, *session, options.times());
  SessionSummary summary = summarize(*session);
  summary.revision = written.revision;
  summary.created_at = written.created_at;
  summary.updated_at = written.updated_at;
  summary.stored_bytes = options.measured_bytes();
  auto done = write(session, std::move(summary), *options.durability(), gate);
  if (!done) return done.error();
  if (known_) known_->exact = false;
  return written;
}

Result<SessionPtr> SessionWriter::begin_update(const UpdateOptions& options) {
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  if (auto expected = check_revision(options.if_revision(), state().summary.revision); !expected) {
    return expected.error();
  }
  if (auto whole = read_whole(); !whole) return whole.error();
  KnownContent& content = known_->content;
  if (!known_->exact || !content.more.empty()) {
    content.base = std::make_shared<const Session>(content.assembled(state().summary));
    content.more.clear();
    known_->exact = true;
  }
  return content.base;
}

Result<SessionPtr> SessionWriter::finish_update(std::shared_ptr<Session> changed,
                                                const UpdateOptions& options, CommitGate& gate) {
  const Keeping keeping(*this);
  const Written written = stamper_.next(stored_state(), *changed, Times::stamp);
  changed->revision = written.revision;
  changed->created_at = written.created_at;
  changed->updated_at = written.updated_at;
  const SessionPtr next = std::move(changed);
  if (auto done = write(next, summarize(*next), *options.durability(), gate); !done) return done.error();
  known_->exact = true;
  return next;
}

Result<void> SessionWriter::write(const SessionPtr& next, SessionSummary summary, Durability durability,
                                  CommitGate& gate) {
  if (auto entries = prepare_entries(next->agent_id, durability); !entries) return entries;
  RecordHead head = next_head(RecordType::snapshot, std::move(summary), durability);
  if (!log_) return create(next, std::move(head), durability, gate);
  const AgentId old_agent = state().summary.agent_id;
  auto patched = write_patch(*next, head, durability, gate);
  if (!patched) return patched.error();
  if (!*patched) {
    if (auto done = write_snapshot(*next, std::move(head), durability, gate); !done) return done;
  }
  known_->content = KnownContent();
  known_->content.base = next;
  known_->loaded.reset();
  // Only when the log's move is durable: until then the old entry may be needed again. Readers overlook it.
  if (next->agent_id != old_agent && durability == Durability::power)
    place_.drop_from_index(old_agent, name_);
  return success();
}

Result<void> SessionWriter::create(const SessionPtr& next, RecordHead head, Durability durability,
                                   CommitGate& gate) {
  // Not even with power are the entries in directories durable when the record is written.
  head.unsettled = true;
  head.synced = durability == Durability::power;
  auto tail = storage::renew_log(*place_.sessions, log_name_, 1, encode_snapshot(head, *next, AppendMemory()),
                                 0, durability, gate);
  if (!tail) return tail.error();
  auto log = AppendLog::open_to_write(*place_.sessions, log_name_);
  if (!log) return success();  // it is not remembered, no more
  log_.emplace(std::move(*log));
  tail_ = std::move(*tail);
  known_ = std::make_unique<KnownLog>();
  known_->state.summary = std::move(head.summary);
  known_->state.from = known_->state.keyed = 0;
  known_->state.unsettled = durability != Durability::power;
  known_->content.base = next;
  known_->appends = std::make_shared<const AppendMemory>();
  return success();
}

Result<bool> SessionWriter::write_patch(const Session& next, RecordHead& head, Durability durability,
                                        CommitGate& gate) {
  if (!known_->content.base) return false;
  const auto body = change_between(known_->content, state().summary, next, written_of(head.summary));
  if (!body || body->size() >= head.summary.stored_bytes) return false;
  RecordHead patch = next_head(RecordType::patch, head.summary, durability);
  const std::string members = encode_patch(patch, *body);
  if (must_be_replaced(members.size(), head.summary.stored_bytes)) return false;
  if (auto added = add_record(patch, members, durability, gate); !added) return added.error();
  return true;
}

Result<void> SessionWriter::write_snapshot(const Session& next, RecordHead head, Durability durability,
                                           CommitGate& gate) {
  if (auto appends = read_remembered(); !appends) return appends;
  const std::uint64_t bytes = head.summary.stored_bytes;
  if (bytes > kLargestAppended || must_be_replaced(bytes, bytes)) {
    // A session that is saved as a whole again and again gets its room at once.
    const std::uint64_t room = tail_.end <= kSmallLogBytes ? std::min(tail_.size, kSmallLogBytes) : 0;
    return replace(next, std::move(head), room, gate);
  }
  return add_record(head, encode_snapshot(head, next, *known_->appends), durability, gate);
}

RecordHead SessionWriter::next_head(RecordType type, SessionSummary summary, Durability durability) const {
  RecordHead head;
  head.type = type;
  head.summary = std::move(summary);
  head.unsettled = durability != Durability::power;
  if (known_) {
    head.base = state().base;
    head.from = state().from;
    head.keyed = state().keyed;
  }
  return head;
}

Result<void> SessionWriter::add_record(const RecordHead& head, std::string_view members,
                                       Durability durability, CommitGate& gate) {
  uncertain_ = true;
  const std::uint64_t at = tail_.end + (tail_.newline_missing ? 1 : 0);
  if (auto added = log_->append(tail_, members, durability, gate); !added) return added;
  uncertain_ = false;
  TailState& state = known_->state;
  state.summary = head.summary;
  state.unsettled = head.unsettled;
  if (head.type != RecordType::append) state.base = at;
  if (head.type == RecordType::snapshot) state.from = at;
  if (head.type == RecordType::snapshot || !head.key.empty()) state.keyed = at;
  known_->loaded.reset();
  return success();
}

Result<void> SessionWriter::prepare_entries(const AgentId& agent, Durability durability) {
  const bool settle = log_ && state().unsettled && durability == Durability::power;
  if (!log_ || settle || agent != state().summary.agent_id) {
    if (auto indexed = place_.add_to_index(agent, name_, durability); !indexed) return indexed;
  }
  return settle ? place_.sync_sessions() : success();
}

bool SessionWriter::must_be_replaced(std::uint64_t more_bytes, std::uint64_t live_bytes) const {
  const std::uint64_t bytes = tail_.end + more_bytes;
  return bytes > std::max(kSmallLogBytes, kLogToLiveRatio * live_bytes) || poisoned_;
}

Result<void> SessionWriter::replace(const Session& next, RecordHead head, std::uint64_t room,
                                    CommitGate& gate) {
  uncertain_ = true;
  const bool settled = !head.unsettled;
  head.type = RecordType::snapshot;
  head.unsettled = true;
  head.synced = true;
  // Synced even for a write that promises less: what it replaces was durable.
  auto tail =
      storage::renew_log(*place_.sessions, log_name_, tail_.seq + 1,
                         encode_snapshot(head, next, *known_->appends), room, Durability::power, gate);
  if (!tail) return tail.error();
  auto log = AppendLog::open_to_write(*place_.sessions, log_name_);
  if (!log) return success();  // it is not remembered, no more
  log_.emplace(std::move(*log));
  tail_ = std::move(*tail);
  TailState& state = known_->state;
  state.unsettled = !settled;
  state.summary = std::move(head.summary);
  state.base = 0;
  state.from = state.keyed = 0;
  known_->loaded.reset();
  uncertain_ = false;
  return success();
}

Result<Written> SessionWriter::append(Messages messages, const AppendOptions& options, CommitGate& gate) {
  const Keeping keeping(*this);
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  std::string print;
  if (!options.idempotency_key().empty()) {
    print = fingerprint(*messages);
    if (auto appends = read_remembered(); !appends) return appends.error();
    auto known = known_->appends->find(options.idempotency_key(), print);
    if (!known) return known.error();
    if (*known) {
      // The first call may have promised less than this one, or was killed before it had synced.
      if (*options.durability() == Durability::power) {
        if (auto settled = settle(); !settled) return settled.error();
      }
      return **known;
    }
  }
  if (auto expected = check_revision(options.if_revision(), state().summary.revision); !expected) {
    return expected.error();
  }
  if (messages->empty()) return written_of(state().summary);
  const std::uint64_t bytes = state().summary.stored_bytes + options.measured_bytes();
  if (bytes > limits_.session_bytes) {
    return Error(Errc::too_large, "the session would exceed its limit");
  }
  const Written written = stamper_.next(stored_state(), Session(id_), Times::stamp);
  RecordHead head = next_head(RecordType::append, state().summary, *options.durability());
  head.key = options.idempotency_key();
  head.fingerprint = std::move(print);
  head.summary.revision = written.revision;
  head.summary.updated_at = written.updated_at;
  head.summary.message_count += messages->size();
  head.summary.stored_bytes = bytes;
  auto stored = append_messages(messages, std::move(head), *options.durability(), gate);
  if (!stored) return stored.error();
  return written;
}

Result<void> SessionWriter::append_messages(const Messages& messages, RecordHead head, Durability durability,
                                            CommitGate& gate) {
  const auto is_user = [](const Message& message) { return message.role == "user"; };
  const std::uint64_t more = head.summary.stored_bytes - state().summary.stored_bytes + kAppendOverheadBytes;
  if (auto entries = prepare_entries(head.summary.agent_id, durability); !entries) return entries;
  std::shared_ptr<AppendMemory> appends;
  if (!head.key.empty()) {
    appends = std::make_shared<AppendMemory>(*known_->appends);
    appends->remember(head.key, head.fingerprint, written_of(head.summary));
  }
  // Until there is a title, a user's message may make one: then all of the summary is written again.
  if (head.summary.title.empty() && std::any_of(messages->begin(), messages->end(), is_user)) {
    auto title = title_after(*messages);
    if (!title) return title.error();
    head.summary.title = std::move(*title);
    head.type = RecordType::patch;
  }
  if (must_be_replaced(more, head.summary.stored_bytes)) {
    if (auto whole = read_whole(); !whole) return whole;
    if (appends) known_->appends = appends;
    return compact(std::move(head), messages, gate);
  }
  std::string members;
  if (head.type == RecordType::append) {
    members = encode_append(head, *messages);
  } else {
    std::string body;
    add_messages(body, *messages, 0);
    members = encode_patch(head, body);
  }
  if (auto added = add_record(head, members, durability, gate); !added) return added;
  if (appends) known_->appends = std::move(appends);
  if (known_->content.base) known_->content.more.push_back(messages);
  return success();
}

Result<std::string> SessionWriter::title_after(const std::vector<Message>& messages) {
  if (auto whole = read_whole(); !whole) return whole.error();
  // The first message of a user makes the title, or none does.
  if (known_->content.has_role("user")) return std::string();
  Session added(id_);
  added.messages = messages;
  return title_of(added);
}

Result<void> SessionWriter::compact(RecordHead head, const Messages& added, CommitGate& gate) {
  KnownContent content = known_->content;
  if (added) content.more.push_back(added);
  const auto next = std::make_shared<const Session>(content.assembled(head.summary));
  head.key.clear();
  head.fingerprint.clear();
  if (auto replaced = replace(*next, std::move(head), 0, gate); !replaced) return replaced;
  known_->content = KnownContent();
  known_->content.base = next;
  known_->exact = true;
  return success();
}

Result<void> SessionWriter::remove(const RemoveOptions& options, CommitGate& gate) {
  const Keeping keeping(*this);
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  if (auto expected = check_revision(options.if_revision(), state().summary.revision); !expected) {
    return expected;
  }
  // Also when the removal fails: then it only makes a number unused.
  stamper_.retired(state().summary.revision);
  uncertain_ = true;
  auto removed = storage::remove_log(*place_.sessions, log_name_, *options.durability(), gate);
  if (!removed) return removed;
  // Only when the removal is durable: until then the session may come back, and needs its entry.
  if (*options.durability() == Durability::power) place_.drop_from_index(state().summary.agent_id, name_);
  return success();
}

Result<void> SessionWriter::settle() {
  const Keeping keeping(*this);
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return place_.sync_sessions();
  if (auto entries = prepare_entries(state().summary.agent_id, Durability::power); !entries) return entries;
  if (poisoned_) {
    if (auto whole = read_whole(); !whole) return whole;
    CommitGate gate;
    return compact(next_head(RecordType::snapshot, state().summary, Durability::power), nullptr, gate);
  }
  if (auto synced = log_->sync(); !synced) {
    uncertain_ = true;
    return synced;
  }
  known_->state.unsettled = false;
  return success();
}

}  // namespace sessile::json_directory
