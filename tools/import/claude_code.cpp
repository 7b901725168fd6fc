#include "import/formats.hpp"
#include "import/session_builder.hpp"

#include <algorithm>

namespace sessile::importing {
namespace {

bool is_conversation(std::string_view type) noexcept {
  return type == "user" || type == "assistant";
}

// A line of the conversation carries a message: an object with role and content, rarely a bare string.
void add_line(SessionBuilder& builder, Record record) {
  const json::value& message = *value_at(record.value, "message");
  std::string role(string_at(message, "role"));
  if (role.empty()) role = string_at(record.value, "type");
  const char* const pointer = message.is_object() ? "/message/content" : "/message";
  builder.add_message(std::move(role), std::move(record), pointer);
}

void note_facts(SessionBuilder& builder, const json::value& record) {
  builder.note("cwd", string_at(record, "cwd"));
  builder.note_last("gitBranch", string_at(record, "gitBranch"));
  if (const json::value* message = value_at(record, "message")) {
    const std::string_view model = string_at(*message, "model");
    if (model != "<synthetic>") builder.note_last("model", model);  // what the program answers by itself
  }
  const std::string_view type = string_at(record, "type");
  if (type == "custom-title") builder.set_title(string_at(record, "customTitle"));
  if (type == "ai-title") builder.set_title(string_at(record, "aiTitle"));
  if (type == "summary") builder.set_title(string_at(record, "summary"));
}

std::string_view first_session_id(const std::vector<Record>& records) {
  for (const Record& record : records) {
    const std::string_view id = string_at(record.value, "sessionId");
    if (!id.empty()) return id;
  }
  return {};
}

}  // namespace

bool is_claude_code(const json::value& record) noexcept {
  const std::string_view type = string_at(record, "type");
  if (type == "summary") return value_at(record, "leafUuid") != nullptr;
  if (type == "file-history-snapshot") return value_at(record, "messageId") != nullptr;
  if (!is_conversation(type) || string_at(record, "sessionId").empty()) return false;
  // Descendants of the format put `parts` where this one has content.
  const json::value* message = value_at(record, "message");
  return message != nullptr && value_at(*message, "role") != nullptr &&
         value_at(*message, "parts") == nullptr;
}

Session claude_code_session(std::vector<Record> records, const Origins& origins) {
  SessionBuilder builder("claude-code");
  std::string session_id(first_session_id(records));
  std::string file_id(uuid_of_stem(origins.stem));
  // The log of a subagent lies in a file of its own, agent-<id>, whose records name the session it was
  // spawned from.
  if (origins.stem.starts_with("agent-") && check(SessionId(session_id)).has_value()) {
    file_id = origins.stem;
    builder.set_parent(session_id);
  }
  for (Record& record : records) {
    note_facts(builder, record.value);
    const bool is_message =
        is_conversation(string_at(record.value, "type")) && value_at(record.value, "message") != nullptr;
    if (is_message)
      add_line(builder, std::move(record));
    else
      builder.keep(std::move(record));
  }
  return builder.finish(first_legal_id(file_id, session_id, origins.stem), origins.modified);
}

}  // namespace sessile::importing
