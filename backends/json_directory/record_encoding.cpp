#include "records.hpp"

#include <charconv>

namespace sessile::json_directory {

namespace {

void add_name(std::string& to, std::string_view name) {
  if (to.back() != '{') to.push_back(',');
  to.append("\"").append(name).append("\":");
}

void add_text(std::string& to, std::string_view name, std::string_view text) {
  add_name(to, name);
  write_json_string(to, text);
}

void add_some_text(std::string& to, std::string_view name, std::string_view text) {
  if (!text.empty()) add_text(to, name, text);
}

void add_number(std::string& to, std::string_view name, std::uint64_t number) {
  add_name(to, name);
  char digits[20];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void add_flag(std::string& to, std::string_view name, bool truth) {
  if (!truth) return;
  add_name(to, name);
  to.append("true");
}

void add_time(std::string& to, std::string_view name, const Timestamp& time) {
  add_name(to, name);
  if (!time.original().empty()) {
    to.append(time.original());
  } else if (time.is_set()) {
    to.append("\"").append(time.text()).append("\"");
  } else {
    to.append("null");
  }
}

void add_summary(std::string& to, const SessionSummary& summary) {
  add_name(to, "summary");
  to.push_back('{');
  add_text(to, "session_id", summary.id.str());
  add_text(to, "agent_id", summary.agent_id.str());
  add_some_text(to, "user_id", summary.user_id);
  add_some_text(to, "project_id", summary.project_id);
  add_some_text(to, "parent_id", summary.parent_id.str());
  add_text(to, "title", summary.title);
  add_time(to, "created_at", summary.created_at);
  add_time(to, "updated_at", summary.updated_at);
  add_number(to, "revision", summary.revision);
  add_number(to, "message_count", summary.message_count);
  add_number(to, "bytes", summary.stored_bytes);
  add_flag(to, "pinned", summary.pinned);
  to.push_back('}');
}

/// What every head ends with, and the checksum of all of it.
void finish_head(std::string& members, const RecordHead& head) {
  add_flag(members, "unsettled", head.unsettled);
  add_flag(members, "synced", head.synced);
  if (head.type != RecordType::snapshot) {
    if (head.from) add_number(members, "from", *head.from);
    if (head.keyed) add_number(members, "keyed", *head.keyed);
  }
  add_some_text(members, "key", head.key);
  add_some_text(members, "fingerprint", head.fingerprint);
  const std::string sum = storage::checksum_text(members);
  members.append(",\"head\":\"").append(sum).append("\"");
}

std::string head_with_summary(std::string_view type, const RecordHead& head) {
  std::string members("\"type\":\"");
  members.append(type).append("\"");
  add_summary(members, head.summary);
  finish_head(members, head);
  return members;
}

}  // namespace

void add_messages(std::string& to, const std::vector<Message>& messages, std::size_t first) {
  if (first >= messages.size()) return;
  to.append(",\"messages\":[");
  for (std::size_t i = first; i < messages.size(); ++i) {
    if (i > first) to.push_back(',');
    to.append(encode_message(messages[i]));
  }
  to.push_back(']');
}

std::string encode_snapshot(const RecordHead& head, const Session& session, const AppendMemory& appends) {
  std::string members = head_with_summary("snapshot", head);
  members.reserve(members.size() + head.summary.stored_bytes + 256);
  if (!appends.entries().empty()) {
    members.append(",\"appends\":");
    write_json(members, appends.to_json());
  }
  members.append(",\"session\":");
  write_session(members, session, written_of(head.summary));
  return members;
}

std::string encode_append(const RecordHead& head, const std::vector<Message>& messages) {
  std::string members("\"type\":\"append\"");
  members.reserve(1024);
  add_number(members, "revision", head.summary.revision);
  add_time(members, "updated_at", head.summary.updated_at);
  add_number(members, "message_count", head.summary.message_count);
  add_number(members, "bytes", head.summary.stored_bytes);
  add_number(members, "base", head.base);
  finish_head(members, head);
  add_messages(members, messages, 0);
  return members;
}

std::string encode_patch(const RecordHead& head, std::string_view body) {
  return head_with_summary("patch", head).append(body);
}

Written written_of(const SessionSummary& summary) {
  Written written;
  written.revision = summary.revision;
  written.created_at = summary.created_at;
  written.updated_at = summary.updated_at;
  return written;
}

}  // namespace sessile::json_directory
