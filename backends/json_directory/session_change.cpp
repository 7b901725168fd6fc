#include "session_change.hpp"

#include "json/same_text.hpp"
#include "records.hpp"

#include <algorithm>
#include <limits>

namespace sessile::json_directory {

namespace {

using sessile::detail::same_text;
using sessile::detail::same_time;

/// True when `messages` begins with those that are stored.
bool begins_with(const std::vector<Message>& messages, const KnownContent& stored) {
  if (messages.size() < stored.message_count()) return false;
  auto next = messages.begin();
  const auto is_next = [&next](const Message& message) { return same_text(message, *next++); };
  const auto& base = stored.base->messages;
  if (!std::all_of(base.begin(), base.end(), is_next)) return false;
  return std::all_of(stored.more.begin(), stored.more.end(),
                     [&](const auto& added) { return std::all_of(added->begin(), added->end(), is_next); });
}

/// True when nothing but messages, steps, revision and updated_at can differ between the two documents.
bool same_envelope(const Session& before, const SessionSummary& stored, const Session& after,
                   const Written& stamp) {
  // This field follows updated_at, in a form of its own.
  if (after.extra.contains("last_active_at")) return false;
  return stamp.updated_at.original().empty() && stored.updated_at.original().empty() &&
         same_time(stored.created_at, stamp.created_at) && before.agent_id == after.agent_id &&
         before.user_id == after.user_id && before.project_id == after.project_id &&
         before.parent_id == after.parent_id && before.title == after.title &&
         same_text(before.metadata, after.metadata) && same_text(before.extra, after.extra);
}

std::string text_of(const json::value& value) {
  std::string text;
  write_json(text, value);
  return text;
}

/// A session's document with all sizes allowed: what is written was measured before.
Result<json::value> document_of(const Session& session, const Written& stamp) {
  Limits any_size;
  any_size.depth = 1000;
  any_size.session_bytes = std::numeric_limits<std::uint64_t>::max();
  std::string text;
  write_session(text, session, stamp);
  return parse_json(text, Origin::stored, any_size);
}

/// The members that a patch sets and unsets: all but messages and steps, which it extends.
Result<json::object> envelope(const Session& session, const Written& stamp) {
  Session bare(session.id);
  bare.agent_id = session.agent_id;
  bare.user_id = session.user_id;
  bare.project_id = session.project_id;
  bare.parent_id = session.parent_id;
  bare.title = session.title;
  bare.metadata = session.metadata;
  bare.extra = session.extra;
  auto document = document_of(bare, stamp);
  if (!document) return document.error();
  json::object fields = std::move(document->as_object());
  // In the order of the rest, which a patch sets.
  fields.stable_erase("messages");
  fields.stable_erase("revision");
  // Replay takes it from the summary.
  if (stamp.updated_at.original().empty()) fields.stable_erase("updated_at");
  return fields;
}

/// True when setting and unsetting members, one by one, leaves them in the order of `after`.
bool keeps_order(const json::object& before, const json::object& after) {
  std::vector<json::string_view> order;
  for (const auto& field : before) {
    if (after.contains(field.key())) order.push_back(field.key());
  }
  for (const auto& field : after) {
    if (!before.contains(field.key())) order.push_back(field.key());
  }
  return std::equal(order.begin(), order.end(), after.begin(), after.end(),
                    [](json::string_view key, const auto& field) { return key == field.key(); });
}

/// What sets `before` to `after`, member by member.
void add_changes(std::string& to, const json::object& before, const json::object& after) {
  std::string set;
  for (const auto& field : after) {
    const json::value* old = before.if_contains(field.key());
    const std::string text = text_of(field.value());
    if (old && text_of(*old) == text) continue;
    set.append(set.empty() ? "" : ",");
    write_json_string(set, std::string_view(field.key().data(), field.key().size()));
    set.append(":").append(text);
  }
  std::string unset;
  for (const auto& field : before) {
    if (after.contains(field.key())) continue;
    unset.append(unset.empty() ? "" : ",");
    write_json_string(unset, std::string_view(field.key().data(), field.key().size()));
  }
  if (!set.empty()) to.append(",\"set\":{").append(set).append("}");
  if (!unset.empty()) to.append(",\"unset\":[").append(unset).append("]");
}

/// The steps of `after` from `first` on, as they stand in a document: only a whole session can be encoded.
Result<std::string> steps_text(const Session& after, std::size_t first, const Written& stamp) {
  Session carrier(after.id);
  carrier.trajectory.assign(after.trajectory.begin() + static_cast<std::ptrdiff_t>(first),
                            after.trajectory.end());
  auto document = document_of(carrier, stamp);
  if (!document) return document.error();
  return text_of(document->at("trajectory"));
}

}  // namespace

std::size_t KnownContent::message_count() const noexcept {
  std::size_t count = base->messages.size();
  for (const auto& added : more)
    count += added->size();
  return count;
}

bool KnownContent::has_role(std::string_view role) const noexcept {
  const auto has = [role](const Message& message) { return message.role == role; };
  return std::any_of(base->messages.begin(), base->messages.end(), has) ||
         std::any_of(more.begin(), more.end(),
                     [&has](const auto& added) { return std::any_of(added->begin(), added->end(), has); });
}

Session KnownContent::assembled(const SessionSummary& stored) const {
  Session session(*base);
  session.messages.reserve(message_count());
  for (const auto& added : more)
    session.messages.insert(session.messages.end(), added->begin(), added->end());
  session.revision = stored.revision;
  session.created_at = stored.created_at;
  session.updated_at = stored.updated_at;
  session.stored_bytes = stored.stored_bytes;
  return session;
}

std::optional<std::string> change_between(const KnownContent& before, const SessionSummary& stored,
                                          const Session& after, const Written& stamp) {
  const Session& base = *before.base;
  if (!begins_with(after.messages, before)) return std::nullopt;
  if (after.trajectory.size() < base.trajectory.size() ||
      !std::equal(base.trajectory.begin(), base.trajectory.end(), after.trajectory.begin(),
                  [](const TrajectoryStep& a, const TrajectoryStep& b) { return same_text(a, b); })) {
    return std::nullopt;
  }
  std::string body;
  if (!same_envelope(base, stored, after, stamp)) {
    auto old_fields = envelope(base, written_of(stored));
    auto new_fields = envelope(after, stamp);
    if (!old_fields || !new_fields || !keeps_order(base.extra, after.extra)) return std::nullopt;
    // A foreign time that became one of ours is in the summary: unsetting it would leave the session without.
    if (!new_fields->contains("updated_at")) old_fields->stable_erase("updated_at");
    add_changes(body, *old_fields, *new_fields);
  }
  add_messages(body, after.messages, before.message_count());
  if (after.trajectory.size() > base.trajectory.size()) {
    auto steps = steps_text(after, base.trajectory.size(), stamp);
    if (!steps) return std::nullopt;
    body.append(",\"trajectory\":").append(*steps);
  }
  return body;
}

}  // namespace sessile::json_directory
