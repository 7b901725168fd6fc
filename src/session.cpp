#include <sessile/results.hpp>

#include "json/utf8.hpp"

namespace sessile {
namespace {

constexpr std::size_t kTitleCodePoints = 60;
constexpr std::string_view kBlank = " \t\r\n";

std::string_view view(const json::string& text) noexcept {
  return {text.data(), text.size()};
}

const json::string* string_member(const json::object& object, std::string_view name) noexcept {
  const json::value* member = object.if_contains(json::string_view(name.data(), name.size()));
  return member ? member->if_string() : nullptr;
}

/// The text of a message: its content, or the first text block of it.
std::string_view text_of(const json::value& content) noexcept {
  if (const json::string* text = content.if_string()) return view(*text);
  const json::array* blocks = content.if_array();
  if (!blocks) return {};
  for (const json::value& block : *blocks) {
    const json::object* object = block.if_object();
    if (!object) continue;
    const json::string* type = string_member(*object, "type");
    const json::string* text = string_member(*object, "text");
    if (type && text && (view(*type) == "text" || view(*type) == "input_text")) return view(*text);
  }
  return {};
}

/// The first line that is not blank, without the blanks around it.
std::string_view first_line(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  text = text.substr(0, text.find_first_of("\r\n"));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

}  // namespace

Session& Session::set_metadata(std::string_view key, json::value value) {
  metadata.insert_or_assign(json::string_view(key.data(), key.size()), std::move(value));
  return *this;
}

bool Session::same_content(const Session& other) const {
  return id == other.id && agent_id == other.agent_id && user_id == other.user_id &&
         project_id == other.project_id && parent_id == other.parent_id && title == other.title &&
         created_at == other.created_at && messages == other.messages && trajectory == other.trajectory &&
         metadata == other.metadata && extra == other.extra;
}

std::string title_of(const Session& session) {
  if (!session.title.empty()) return session.title;
  if (const json::string* title = string_member(session.metadata, "title"); title && !title->empty()) {
    return std::string(view(*title));
  }
  for (const Message& message : session.messages) {
    if (message.role != "user") continue;
    const std::string_view line = first_line(text_of(message.content));
    const std::size_t cut = detail::code_points_prefix(line, kTitleCodePoints);
    std::string title(line.substr(0, cut));
    if (cut < line.size()) title += "…";
    return title;
  }
  return {};
}

bool is_pinned(const Session& session) noexcept {
  const json::value* pinned = session.metadata.if_contains("pinned");
  return pinned && pinned->is_bool() && pinned->get_bool();
}

SessionSummary summarize(const Session& session) {
  SessionSummary summary;
  summary.id = session.id;
  summary.agent_id = session.agent_id;
  summary.user_id = session.user_id;
  summary.project_id = session.project_id;
  summary.parent_id = session.parent_id;
  summary.title = title_of(session);
  summary.created_at = session.created_at;
  summary.updated_at = session.updated_at;
  summary.revision = session.revision;
  const bool partial = session.completeness == Completeness::partial;
  summary.message_count = (partial ? session.omitted_messages : 0) + session.messages.size();
  summary.stored_bytes = session.stored_bytes;
  summary.pinned = is_pinned(session);
  return summary;
}

}  // namespace sessile
