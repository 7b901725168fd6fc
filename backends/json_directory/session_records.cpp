#include "session_log.hpp"

#include "storage/log_replacement.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace sessile::json_directory {

using storage::AppendLog;
using storage::CommitGate;

namespace {

/// A log that is compacted beside its writers may meanwhile grow to so many times what makes it due, and
/// stays so large when that was in vain: what was written then is paid for before the write replaces it.
constexpr std::uint64_t kMostOverdue = 2;
/// But not to where it could not be read any more, its padding included.
constexpr std::uint64_t kLeftOfLimit = std::uint64_t{2} << 20;
/// A larger snapshot goes to a new file: it takes no longer, and the log's end stays quick to read.
constexpr std::uint64_t kLargestAppended = std::uint64_t{1} << 20;
/// What an append's record takes beside its messages, about.
constexpr std::uint64_t kAppendOverheadBytes = 360;

}  // namespace

Result<void> SessionWriter::prepare_entries(const AgentId& agent, Durability durability) {
  const bool settle = log_ && state().unsettled && durability == Durability::power;
  if (!log_ || settle || agent != state().summary.agent_id) {
    if (auto indexed = place_.add_to_index(agent, name_, durability); !indexed) return indexed;
  }
  return settle ? place_.sync_sessions() : success();
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

Result<void> SessionWriter::create(const SessionPtr& next, RecordHead head, Durability durability,
                                   CommitGate& gate) {
  // Not even with power are the entries in directories durable when the record is written.
  head.unsettled = true;
  head.synced = durability == Durability::power;
  uncertain_ = true;
  auto known = std::make_unique<KnownLog>();
  known->state.from = known->state.keyed = 0;
  known->state.unsettled = durability != Durability::power;
  known->state.synced = durability == Durability::power;
  known->content.base = next;
  known->appends = std::make_shared<const AppendMemory>();
  auto tail = storage::renew_log(*place_.sessions, log_name_, 1,
                                 encode_snapshot(head, *next, *known->appends), 0, durability, gate);
  if (!tail) return tail.error();
  known->state.summary = std::move(head.summary);
  tail_ = std::move(*tail);
  known_ = std::move(known);
  reopen();
  uncertain_ = false;
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
    const std::uint64_t small = place_.compaction.small_log_bytes;
    const std::uint64_t room = tail_.end <= small ? std::min(tail_.size, small) : 0;
    return replace(next, std::move(head), *known_->appends, room, gate);
  }
  return add_record(head, encode_snapshot(head, next, *known_->appends), durability, gate);
}

Result<void> SessionWriter::append_messages(const Messages& messages, RecordHead head, Durability durability,
                                            CommitGate& gate) {
  const auto is_user = [](const Message& message) { return message.role == "user"; };
  const std::uint64_t more = head.summary.stored_bytes - state().summary.stored_bytes + kAppendOverheadBytes;
  if (auto entries = prepare_entries(head.summary.agent_id, durability); !entries) return entries;
  std::shared_ptr<const AppendMemory> appends;
  if (!head.key.empty()) {
    auto more_appends = std::make_shared<AppendMemory>(*known_->appends);
    more_appends->remember(head.key, head.fingerprint, written_of(head.summary));
    appends = std::move(more_appends);
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
    return compact(std::move(head), messages, appends ? std::move(appends) : known_->appends, gate);
  }
  std::string members;
  if (head.type == RecordType::append) {
    members = encode_append(head, *messages);
  } else {
    std::string body;
    add_messages(body, *messages, 0);
    members = encode_patch(head, body);
  }
  // Room is made before the commit point: who is told that there was no memory may try again.
  auto& added = known_->content.more;
  if (added.size() == added.capacity()) added.reserve(2 * added.size() + 1);
  if (auto done = add_record(head, members, durability, gate); !done) return done;
  if (appends) known_->appends = std::move(appends);
  if (known_->content.base) added.push_back(messages);
  uncertain_ = false;
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

Result<void> SessionWriter::add_record(const RecordHead& head, std::string_view members,
                                       Durability durability, CommitGate& gate) {
  uncertain_ = true;
  const std::uint64_t at = tail_.end + (tail_.newline_missing ? 1 : 0);
  SessionSummary summary = head.summary;
  TailState& state = known_->state;
  // Whoever wrote the last record may have been killed before it was synced. The device could take this one
  // first, and leave a hole before it.
  if (durability == Durability::power && !state.synced) {
    if (auto synced = log_->sync(); !synced) return synced;
  }
  if (auto added = log_->append(tail_, members, durability, gate); !added) return added;
  state.synced = durability == Durability::power;
  state.summary = std::move(summary);
  state.unsettled = head.unsettled;
  if (head.type != RecordType::append) state.base = at;
  if (head.type == RecordType::snapshot) state.from = at;
  if (head.type == RecordType::snapshot || !head.key.empty()) state.keyed = at;
  known_->loaded.reset();
  if (is_due()) leaves_due_ = known_->mark;
  return success();
}

bool SessionWriter::must_be_replaced(std::uint64_t more_bytes, std::uint64_t live_bytes) const {
  const std::uint64_t bytes = tail_.end + more_bytes;
  if (poisoned_) return true;
  return bytes > place_.compaction.bound(live_bytes) && !may_wait(bytes, live_bytes);
}

bool SessionWriter::may_wait(std::uint64_t bytes, std::uint64_t live_bytes) const {
  return live_bytes > place_.compaction.small_session_bytes &&
         bytes <= kMostOverdue * place_.compaction.bound(live_bytes) &&
         bytes + kLeftOfLimit <= log_bytes_limit(limits_);
}

/// Not by who finds that others write to the log as well: they would overtake it, and would have it compacted
/// too, each of them in vain.
bool SessionWriter::is_due() const noexcept {
  const std::uint64_t live = state().summary.stored_bytes;
  return recognised_ && live > place_.compaction.small_session_bytes &&
         tail_.end > place_.compaction.bound(live);
}

Result<void> SessionWriter::replace(const Session& next, RecordHead head, const AppendMemory& appends,
                                    std::uint64_t room, CommitGate& gate) {
  uncertain_ = true;
  const bool settled = !head.unsettled;
  head.type = RecordType::snapshot;
  head.unsettled = true;
  head.synced = true;
  // Synced even for a write that promises less: what it replaces was durable.
  auto tail = storage::renew_log(*place_.sessions, log_name_, tail_.seq + 1,
                                 encode_snapshot(head, next, appends), room, Durability::power, gate);
  if (!tail) return tail.error();
  tail_ = std::move(*tail);
  TailState& state = known_->state;
  state.unsettled = !settled;
  state.synced = true;
  state.summary = std::move(head.summary);
  state.base = 0;
  state.from = state.keyed = 0;
  known_->loaded.reset();
  reopen();
  return success();
}

void SessionWriter::reopen() noexcept {
  log_.reset();
  try {
    auto log = AppendLog::open_to_write(*place_.sessions, log_name_);
    if (log) log_.emplace(std::move(*log));
  } catch (const std::exception&) {
    // It is not remembered, no more.
  }
}

Result<void> SessionWriter::compact(RecordHead head, const Messages& added,
                                    std::shared_ptr<const AppendMemory> appends, CommitGate& gate) {
  KnownContent content = known_->content;
  if (added) content.more.push_back(added);
  const auto next = std::make_shared<const Session>(content.assembled(head.summary));
  head.key.clear();
  head.fingerprint.clear();
  if (auto replaced = replace(*next, std::move(head), *appends, 0, gate); !replaced) return replaced;
  known_->content = KnownContent();
  known_->content.base = next;
  known_->exact = true;
  known_->appends = std::move(appends);
  uncertain_ = false;
  return success();
}

}  // namespace sessile::json_directory
