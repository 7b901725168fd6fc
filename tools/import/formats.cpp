#include "import/formats.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sessile::importing {
namespace {

constexpr std::array<std::pair<Format, std::string_view>, 6> kNames = {{{Format::automatic, "auto"},
                                                                        {Format::claude_code, "claude-code"},
                                                                        {Format::codex, "codex"},
                                                                        {Format::reference, "reference"},
                                                                        {Format::agent_os, "agent-os"},
                                                                        {Format::sessile, "sessile"}}};

bool is_hexadecimal(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hexadecimal(text[i])) return false;
  }
  return true;
}

bool is_legal(std::string_view text) {
  return !text.empty() && check(SessionId(text)).has_value();
}

}  // namespace

std::string_view name(Format format) noexcept {
  for (const auto& [value, text] : kNames) {
    if (value == format) return text;
  }
  return {};
}

std::optional<Format> format_named(std::string_view name) noexcept {
  for (const auto& [value, text] : kNames) {
    if (text == name) return value;
  }
  return std::nullopt;
}

ImportLimits::ImportLimits(const Limits& store) noexcept
    // Inside a session a record lies up to six levels deeper, beside its line, index, role and time.
    : file_bytes(store.session_bytes),
      line_bytes(store.message_bytes > 4096 ? store.message_bytes - 2048 : store.message_bytes / 2),
      session(store),
      depth(store.depth > 16 ? store.depth - 8 : store.depth) {}

void FileReport::skip(std::uint64_t line, std::string reason) {
  ++skipped_count;
  if (skipped.size() < kMaxSkippedNamed) skipped.emplace_back(line, std::move(reason));
}

std::optional<Format> format_of_document(const json::value& document) noexcept {
  const bool named = !string_at(document, "session_id").empty() || !string_at(document, "id").empty();
  // A document of another program that we rewrote holds its fields as well; `messages` says that it is ours
  // now.
  const json::value* messages = value_at(document, "messages");
  const bool stamped =
      value_at(document, "revision") != nullptr || value_at(document, "updated_at") != nullptr;
  if (named && stamped && messages != nullptr && messages->is_array()) return Format::sessile;
  if (value_at(document, "user_messages") != nullptr || value_at(document, "agent_responses") != nullptr) {
    return Format::agent_os;
  }
  if (!named) return std::nullopt;
  const json::value* loops = value_at(document, "loops");
  if (loops != nullptr && loops->is_array()) return Format::reference;
  return std::nullopt;
}

std::string_view uuid_of_stem(std::string_view stem) noexcept {
  return is_uuid(stem) ? stem : std::string_view();
}

std::string_view uuid_at_end(std::string_view stem) noexcept {
  return stem.size() < 36 ? std::string_view() : uuid_of_stem(stem.substr(stem.size() - 36));
}

SessionId first_legal_id(std::string_view preferred, std::string_view second, std::string_view stem) {
  for (const std::string_view candidate : {preferred, second, stem}) {
    if (is_legal(candidate)) return SessionId(candidate);
  }
  // A file name may be longer than an id, or no UTF-8 at all.
  std::string shown;
  for (const char c : stem.substr(0, kMaxIdBytes))
    shown += c > ' ' && c < '\x7f' ? c : '_';
  return SessionId(std::move(shown));
}

}  // namespace sessile::importing
