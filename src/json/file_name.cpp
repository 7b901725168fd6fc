#include <sessile/backend.hpp>

#include "json/sha256.hpp"

namespace sessile {
namespace {

constexpr std::size_t kLongestName = 180;
constexpr std::string_view kEmptyName = "%-";
constexpr std::string_view kHashMark = "%~";
constexpr std::size_t kHashDigits = 64;
constexpr std::string_view kHex = "0123456789ABCDEF";

bool stands_for_itself(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

/// The length of `encoded` cut to at most `most` bytes, but not within a %XX.
std::size_t cut_between_escapes(std::string_view encoded, std::size_t most) noexcept {
  for (std::size_t back = 1; back <= 2 && back <= most; ++back) {
    if (encoded[most - back] == '%') return most - back;
  }
  return most;
}

std::string percent_encoded(std::string_view id) {
  std::string name;
  name.reserve(id.size() + 16);
  for (const char c : id) {
    if (stands_for_itself(c) && !(c == '.' && name.empty())) {
      name += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      name += '%';
      name += kHex[byte >> 4U];
      name += kHex[byte & 15U];
    }
  }
  return name;
}

}  // namespace

Revision content_revision(std::string_view text) {
  const detail::Sha256 digest = detail::sha256(text);
  Revision revision = 0;
  for (std::size_t i = 0; i < 8; ++i)
    revision = revision << 8U | digest[i];
  revision >>= 12U;
  return revision == 0 ? 1 : revision;
}

std::string file_name(std::string_view id) {
  if (id.empty()) return std::string(kEmptyName);
  std::string name = percent_encoded(id);
  if (name.size() <= kLongestName) return name;
  name.resize(cut_between_escapes(name, kLongestName - kHashMark.size() - kHashDigits));
  return name.append(kHashMark).append(detail::hex(detail::sha256(id)));
}

std::optional<std::string> id_of_file_name(std::string_view name) {
  if (name == kEmptyName) return std::string();
  std::string id;
  id.reserve(name.size());
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      id += name[i];
      continue;
    }
    if (name.size() - i < 3) return std::nullopt;
    const std::size_t high = kHex.find(name[i + 1]);
    const std::size_t low = kHex.find(name[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    id += static_cast<char>(high << 4U | low);
    i += 2;
  }
  // Only the one name that file_name gives is a name: no other spelling of the same id.
  if (id.empty() || file_name(id) != name) return std::nullopt;
  return id;
}

bool is_plain_file_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > kLongestName || text.front() == '.') return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '/') return false;
  }
  return true;
}

}  // namespace sessile
