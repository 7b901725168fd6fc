#include "rendering.hpp"

#include "output.hpp"

#include <sessile/json.hpp>

namespace sessile::tools {
namespace {

constexpr std::size_t kShortText = 200;

std::string_view text_at(const json::object& block, std::string_view key) {
  const json::value* value = block.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

// Any JSON on one line, cut.
std::string short_form(const json::value& value) {
  if (value.is_string()) return shortened(visible(value.get_string()), kShortText);
  std::string text;
  write_json(text, value);
  return shortened(visible(text), kShortText);
}

const json::value& first_of(const json::object& block, std::initializer_list<std::string_view> keys) {
  static const json::value none;
  for (const std::string_view key : keys) {
    if (const json::value* value = block.if_contains(key)) return *value;
  }
  return none;
}

// The blocks of several programs: text, thinking, tool_use and tool_result; input_text, reasoning,
// function_call …
std::string block_line(const json::value& value) {
  if (value.is_string()) return visible(value.get_string(), Lines::many);
  if (!value.is_object()) return short_form(value);
  const json::object& block = value.get_object();
  const std::string_view type = text_at(block, "type");
  if (type == "thinking" || type == "reasoning") {
    return "(thinking) " + short_form(first_of(block, {"thinking", "text", "summary"}));
  }
  if (type == "tool_use" || type.ends_with("_call")) {
    const std::string_view name = text_at(block, "name");
    return "-> " + visible(name.empty() ? type : name) + ' ' +
           short_form(first_of(block, {"input", "arguments", "action"}));
  }
  if (type == "tool_result" || type.ends_with("_output")) {
    const json::value* failed = block.if_contains("is_error");
    const bool is_error = failed != nullptr && failed->is_bool() && failed->get_bool();
    return (is_error ? "<- failed: " : "<- ") + short_form(first_of(block, {"content", "output"}));
  }
  const std::string_view text = text_at(block, "text");
  if (!text.empty()) return visible(text, Lines::many);
  return '[' + (type.empty() ? std::string("block") : visible(type)) + "] " + short_form(value);
}

void append_line(std::string& out, std::string_view text) {
  out += text;
  if (!text.ends_with('\n')) out += '\n';
}

void append_content(std::string& out, const json::value& content) {
  if (content.is_null()) return;
  if (!content.is_array()) return append_line(out, block_line(content));
  for (const json::value& block : content.get_array())
    append_line(out, block_line(block));
}

void append_fact(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += name;
  out.append(10 - name.size(), ' ');
  out += visible(value) + '\n';
}

void append_head(std::string& out, const Session& session) {
  append_fact(out, "session", session.id.str());
  append_fact(out, "title", title_of(session));
  append_fact(out, "agent", session.agent_id.str());
  append_fact(out, "user", session.user_id);
  append_fact(out, "project", session.project_id);
  append_fact(out, "parent", session.parent_id.str());
  append_fact(out, "created", session.created_at.text());
  append_fact(out, "updated", session.updated_at.text());
  append_fact(out, "revision", std::to_string(session.revision));
  append_fact(out, "messages", std::to_string(session.omitted_messages + session.messages.size()));
  if (!session.trajectory.empty()) append_fact(out, "steps", std::to_string(session.trajectory.size()));
}

}  // namespace

std::string rendered(const Session& session) {
  std::string out;
  append_head(out, session);
  if (session.omitted_messages > 0)
    out += "\n(" + std::to_string(session.omitted_messages) + " earlier messages)\n";
  for (const Message& message : session.messages) {
    out += "\n--- " + visible(message.role);
    if (message.timestamp.is_set()) out += ", " + message.timestamp.text();
    out += '\n';
    append_content(out, message.content);
  }
  return out;
}

}  // namespace sessile::tools
