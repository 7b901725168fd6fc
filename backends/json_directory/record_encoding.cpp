#include "records.hpp"

#include <algorithm>
#include <limits>

namespace sessile::json_directory {

namespace {

json::string_view json_view(std::string_view text) {
  return json::string_view(text.data(), text.size());
}

json::value timestamp_json(const Timestamp& time) {
  if (time.original().empty()) {
    return time.is_set() ? json::value(json::string(json_view(time.text()))) : json::value();
  }
  auto original = parse_json(time.original(), Origin::stored);
  return original ? *std::move(original) : json::value();
}

void add_text(json::object& to, json::string_view name, std::string_view text) {
  if (!text.empty()) to.emplace(name, json::string(json_view(text)));
}

json::object summary_json(const SessionSummary& summary) {
  json::object object;
  object.emplace("session_id", json::string(json_view(summary.id.str())));
  object.emplace("agent_id", json::string(json_view(summary.agent_id.str())));
  add_text(object, "user_id", summary.user_id);
  add_text(object, "project_id", summary.project_id);
  add_text(object, "parent_id", summary.parent_id.str());
  object.emplace("title", json::string(json_view(summary.title)));
  object.emplace("created_at", timestamp_json(summary.created_at));
  object.emplace("updated_at", timestamp_json(summary.updated_at));
  object.emplace("revision", summary.revision);
  object.emplace("message_count", summary.message_count);
  object.emplace("bytes", summary.stored_bytes);
  if (summary.pinned) object.emplace("pinned", true);
  return object;
}

/// The members of the head of a record, its checksum last.
std::string head_members(std::string_view type, json::object fields, const RecordHead& head) {
  if (head.unsettled) fields.emplace("unsettled", true);
  add_text(fields, "key", head.key);
  add_text(fields, "fingerprint", head.fingerprint);
  std::string text;
  write_json(text, json::value(std::move(fields)));
  std::string members("\"type\":\"");
  // Without the braces around the fields.
  members.append(type).append("\",").append(text, 1, text.size() - 2);
  const std::string sum = storage::checksum_text(members);
  return members.append(",\"head\":\"").append(sum).append("\"");
}

std::string head_with_summary(std::string_view type, const RecordHead& head) {
  json::object fields;
  fields.emplace("summary", summary_json(head.summary));
  return head_members(type, std::move(fields), head);
}

template <class Texts>
void add_array(std::string& to, std::string_view name, const Texts& texts) {
  to.append(",\"").append(name).append("\":[");
  bool first = true;
  for (const std::string& text : texts) {
    if (!first) to.push_back(',');
    to.append(text);
    first = false;
  }
  to.push_back(']');
}

std::vector<std::string> encoded(const std::vector<Message>& messages, std::size_t from = 0) {
  std::vector<std::string> texts;
  for (std::size_t i = from; i < messages.size(); ++i)
    texts.push_back(encode_message(messages[i]));
  return texts;
}

std::string text_of(const json::value& value) {
  std::string text;
  write_json(text, value);
  return text;
}

/// A session's document with all sizes allowed: what is written was measured before.
Result<json::value> document_of(const Session& session) {
  Limits any_size;
  any_size.depth = 1000;
  any_size.session_bytes = std::numeric_limits<std::uint64_t>::max();
  return parse_json(encode_session(session), Origin::stored, any_size);
}

/// The steps as they stand in a document: only a whole session can be encoded.
Result<std::vector<std::string>> encoded_steps(const Session& session) {
  std::vector<std::string> texts;
  if (session.trajectory.empty()) return texts;
  Session carrier(session.id);
  carrier.trajectory = session.trajectory;
  auto document = document_of(carrier);
  if (!document) return document.error();
  for (const json::value& step : document->at("trajectory").as_array())
    texts.push_back(text_of(step));
  return texts;
}

/// True when the two are written alike: operator== overlooks -0 and the text of foreign times.
bool same_text(const Message& a, const Message& b) {
  return a == b && encode_message(a) == encode_message(b);
}

/// The members that a patch sets and unsets: all but messages and steps, which it extends.
Result<json::object> envelope(const Session& session) {
  Session bare(session.id);
  bare.agent_id = session.agent_id;
  bare.user_id = session.user_id;
  bare.project_id = session.project_id;
  bare.parent_id = session.parent_id;
  bare.title = session.title;
  bare.created_at = session.created_at;
  bare.updated_at = session.updated_at;
  bare.revision = session.revision;
  bare.metadata = session.metadata;
  bare.extra = session.extra;
  auto document = document_of(bare);
  if (!document) return document.error();
  json::object fields = std::move(document->as_object());
  fields.erase("messages");
  fields.erase("revision");
  // Replay takes it from the summary.
  if (session.updated_at.original().empty()) fields.erase("updated_at");
  return fields;
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

}  // namespace

std::string encode_snapshot(const Session& session, const AppendMemory& appends, bool unsettled) {
  RecordHead head;
  head.summary = summarize(session);
  head.unsettled = unsettled;
  std::string members = head_with_summary("snapshot", head);
  if (!appends.entries().empty()) {
    members.append(",\"appends\":");
    write_json(members, appends.to_json());
  }
  return members.append(",\"session\":").append(encode_session(session));
}

std::string encode_append(const RecordHead& head, const std::vector<Message>& messages) {
  json::object fields;
  fields.emplace("revision", head.summary.revision);
  fields.emplace("updated_at", timestamp_json(head.summary.updated_at));
  fields.emplace("message_count", head.summary.message_count);
  fields.emplace("bytes", head.summary.stored_bytes);
  fields.emplace("base", head.base);
  std::string members = head_members("append", std::move(fields), head);
  add_array(members, "messages", encoded(messages));
  return members;
}

std::string encode_patch(const RecordHead& head, const std::vector<Message>& messages) {
  std::string members = head_with_summary("patch", head);
  add_array(members, "messages", encoded(messages));
  return members;
}

std::optional<std::string> encode_patch(const Session& before, const Session& after, bool unsettled) {
  if (after.messages.size() < before.messages.size()) return std::nullopt;
  if (!std::equal(before.messages.begin(), before.messages.end(), after.messages.begin(), same_text)) {
    return std::nullopt;
  }
  auto old_steps = encoded_steps(before);
  auto new_steps = encoded_steps(after);
  if (!old_steps || !new_steps || new_steps->size() < old_steps->size()) return std::nullopt;
  if (!std::equal(old_steps->begin(), old_steps->end(), new_steps->begin())) return std::nullopt;
  new_steps->erase(new_steps->begin(), new_steps->begin() + static_cast<std::ptrdiff_t>(old_steps->size()));
  auto old_fields = envelope(before);
  auto new_fields = envelope(after);
  if (!old_fields || !new_fields) return std::nullopt;
  // A foreign time that became one of ours is in the summary: unsetting it would leave the session without.
  if (!new_fields->contains("updated_at")) old_fields->erase("updated_at");
  RecordHead head;
  head.summary = summarize(after);
  head.unsettled = unsettled;
  std::string members = head_with_summary("patch", head);
  add_changes(members, *old_fields, *new_fields);
  if (after.messages.size() > before.messages.size()) {
    add_array(members, "messages", encoded(after.messages, before.messages.size()));
  }
  if (!new_steps->empty()) add_array(members, "trajectory", *new_steps);
  return members;
}

}  // namespace sessile::json_directory
