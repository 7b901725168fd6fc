#include "import/formats.hpp"
#include "import/session_builder.hpp"

#include <algorithm>
#include <array>

namespace sessile::importing {
namespace {

constexpr std::array<std::string_view, 5> kTypes = {"session_meta", "turn_context", "response_item",
                                                    "event_msg", "compacted"};

const json::value* payload_of(const json::value& record) noexcept {
  const json::value* payload = value_at(record, "payload");
  return payload != nullptr && payload->is_object() ? payload : nullptr;
}

// What the model saw and said. An item that is no message (a tool's call, its output, reasoning) is one
// block.
void add_item(SessionBuilder& builder, Record record, const json::value& payload) {
  const std::string type(string_at(payload, "type"));
  if (type == "message") {
    std::string role(string_at(payload, "role"));
    return builder.add_message(std::move(role), std::move(record), "/payload/content");
  }
  builder.add_block_message(type.ends_with("_output") ? "tool" : "assistant", std::move(record), "/payload");
}

void note_facts(SessionBuilder& builder, std::string_view type, const json::value& payload) {
  if (type == "session_meta" || type == "turn_context") {
    builder.note("cwd", string_at(payload, "cwd"));
    builder.note_last("model", string_at(payload, "model"));
    if (const json::value* git = value_at(payload, "git"))
      builder.note("gitBranch", string_at(*git, "branch"));
  }
  if (type == "event_msg" && string_at(payload, "type") == "thread_name_updated") {
    builder.set_title(string_at(payload, "thread_name"));
  }
}

std::string_view first_session_id(const std::vector<Record>& records) {
  for (const Record& record : records) {
    const json::value* payload = payload_of(record.value);
    if (payload == nullptr || string_at(record.value, "type") != "session_meta") continue;
    const std::string_view id = string_at(*payload, "id");
    if (!id.empty()) return id;
  }
  return {};
}

}  // namespace

bool is_codex(const json::value& record) noexcept {
  const std::string_view type = string_at(record, "type");
  return payload_of(record) != nullptr && value_at(record, "timestamp") != nullptr &&
         std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

Session codex_session(std::vector<Record> records, const Origins& origins) {
  SessionBuilder builder("codex");
  const std::string session_id(first_session_id(records));
  for (Record& record : records) {
    const json::value* payload = payload_of(record.value);
    const std::string type(string_at(record.value, "type"));
    if (payload != nullptr) note_facts(builder, type, *payload);
    // event_msg tells again, for a screen, what response_item records.
    if (payload != nullptr && type == "response_item")
      add_item(builder, std::move(record), *payload);
    else
      builder.keep(std::move(record));
  }
  return builder.finish(first_legal_id(uuid_at_end(origins.stem), session_id, origins.stem),
                        origins.modified);
}

}  // namespace sessile::importing
