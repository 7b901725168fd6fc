#include "session_log.hpp"

#include "storage/log_replacement.hpp"

#include <utility>

namespace sessile::json_directory {

using storage::AppendLog;
using storage::CommitGate;

namespace {

/// The last record is read as a whole up to this size, and beyond where it may be torn.
constexpr std::uint64_t kCheckedBytes = 65536;

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
  // The lock may be gone, when an update was cancelled between its halves, and others may have written: their
  // record must not be taken for how the log ended when it was read.
  if (!tail_.ending) return;
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
  if (auto known = std::move(known_)) {
    auto tail = log_->recognise(known->mark);
    if (!tail) return tail.error();
    if (*tail) {
      tail_ = std::move(**tail);
      known_ = std::move(known);
      recognised_ = true;
      return success();
    }
  }
  return read_end();
}

Result<void> SessionWriter::read_end() {
  const std::uint64_t limit = log_bytes_limit(limits_);
  storage::LogTail tail;
  auto state = last_state(*log_, limit, kCheckedBytes, tail);
  if (!state) return placed(state.error(), *place_.sessions, log_name_, tail.offset);
  if (state->summary.id != id_) {
    return corrupt_at("the log is another session's", *place_.sessions, log_name_, 0);
  }
  if (!tail.torn && !tail.newline_missing) {
    // What the end looks like is seen now, under the lock: see keep().
    auto mark = log_->mark(tail);
    if (!mark) return mark.error();
    tail.ending = mark->ending;
  }
  tail_ = std::move(tail);
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

Result<SessionPtr> SessionWriter::finish_unchanged(SessionPtr current, const UpdateOptions& options) {
  const Keeping keeping(*this);
  if (auto settled = settle_opened(*options.durability()); !settled) return settled.error();
  return current;
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
  known_->exact = false;
  known_->loaded.reset();
  uncertain_ = false;
  // Only when the log's move is durable: until then the old entry may be needed again. Readers overlook it.
  if (next->agent_id != old_agent && durability == Durability::power)
    place_.drop_from_index(old_agent, name_);
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
      if (auto settled = settle_opened(*options.durability()); !settled) return settled.error();
      return **known;
    }
  }
  if (auto expected = check_revision(options.if_revision(), state().summary.revision); !expected) {
    return expected.error();
  }
  if (messages->empty()) {
    if (auto settled = settle_opened(*options.durability()); !settled) return settled.error();
    return written_of(state().summary);
  }
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

Result<void> SessionWriter::remove(const RemoveOptions& options, CommitGate& gate) {
  const Keeping keeping(*this);
  auto exists = open();
  if (!exists) return exists.error();
  if (!*exists) return Error(Errc::not_found);
  if (auto expected = check_revision(options.if_revision(), state().summary.revision); !expected) {
    return expected;
  }
  uncertain_ = true;
  // Also when the removal fails: then it only makes a number unused.
  stamper_.retired(state().summary.revision);
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
  return settle_opened(Durability::power);
}

Result<void> SessionWriter::settle_opened(Durability promised) {
  if (promised != Durability::power) return success();
  if (auto entries = prepare_entries(state().summary.agent_id, Durability::power); !entries) return entries;
  if (poisoned_) {
    if (auto whole = read_whole(); !whole) return whole;
    CommitGate gate;
    return compact(next_head(RecordType::snapshot, state().summary, Durability::power), nullptr,
                   known_->appends, gate);
  }
  uncertain_ = true;
  if (auto synced = log_->sync(); !synced) return synced;
  known_->state.unsettled = false;
  known_->state.synced = true;
  uncertain_ = false;
  return success();
}

}  // namespace sessile::json_directory
