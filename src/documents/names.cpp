#include "documents/names.hpp"

#include <sessile/documents.hpp>
#include <sessile/ids.hpp>

namespace sessile::detail {
namespace {

/// U+0000 to U+001F, U+007F and U+0080 to U+009F, in UTF-8.
bool has_control_character(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

/// The broken rule, or empty. The rules of a name and of a part of a category are the same: what begins with
/// a dot is ours (locks), or hidden from listings.
std::string_view broken_rule(std::string_view text) noexcept {
  if (text.empty()) return "is empty";
  if (text.size() > kMaxDocumentNameBytes) return "is longer than 180 bytes";
  if (text.front() == '.') return "begins with a dot";
  if (text.find('/') != std::string_view::npos) return "holds a slash";
  if (text.find('\\') != std::string_view::npos) return "holds a backslash";
  if (text.find("..") != std::string_view::npos) return "holds '..'";
  if (has_control_character(text)) return "holds a control character";
  if (!is_utf8(text)) return "is not UTF-8";
  return {};
}

Error refusal(std::string_view what, std::string_view rule) {
  return Error(Errc::invalid_argument, std::string(what).append(" ").append(rule));
}

}  // namespace

Result<void> check_document_name(std::string_view name) {
  if (const auto rule = broken_rule(name); !rule.empty()) return refusal("the document's name", rule);
  return success();
}

Result<std::vector<std::string>> category_parts(std::string_view category) {
  if (category.empty()) return refusal("the category", "is empty");
  if (category.front() == '/') return refusal("the category", "is an absolute path");
  if (category.size() > kMaxCategoryBytes) return refusal("the category", "is longer than 1000 bytes");
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= category.size();) {
    const auto end = std::min(category.find('/', begin), category.size());
    const auto part = category.substr(begin, end - begin);
    if (const auto rule = broken_rule(part); !rule.empty()) return refusal("a part of the category", rule);
    parts.emplace_back(part);
    begin = end + 1;
  }
  return parts;
}

}  // namespace sessile::detail
