#include <sessile/backend.hpp>

#include "json/fields.hpp"

#include <charconv>

namespace sessile {
namespace {

/// Reads the beginning of a document in exactly the form that encode_document writes it, byte by byte.
/// Another program that rewrites the document spaces it otherwise: then its header, which that program
/// doesn't keep up to date, isn't trusted.
class HeadReader {
 public:
  explicit HeadReader(std::string_view head) noexcept : rest_(head) {}

  bool literal(std::string_view text) noexcept {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool string(std::string& out) {
    const std::optional<std::string_view> quoted = quoted_text();
    if (!quoted) return false;
    const std::string_view inner = quoted->substr(1, quoted->size() - 2);
    if (inner.find('\\') == std::string_view::npos) {
      out.assign(inner);
      return is_utf8(inner);
    }
    const Result<json::value> value = parse_json(*quoted, Origin::stored);
    return value && !detail::read_string("", *value, out);
  }

  bool number(std::uint64_t& out) noexcept {
    const auto end = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    const auto digits = static_cast<std::size_t>(end.ptr - rest_.data());
    if (end.ec != std::errc()) return false;
    rest_.remove_prefix(digits);
    return true;
  }

  bool timestamp(Timestamp& out) {
    std::optional<std::string_view> text = quoted_text();
    if (!text) text = unquoted_text();
    if (!text) return false;
    const Result<json::value> value = parse_json(*text, Origin::stored);
    return value && !detail::read_timestamp("", *value, out);
  }

 private:
  /// A string with its quotes; empty when it doesn't end in the head, or isn't one.
  std::optional<std::string_view> quoted_text() noexcept {
    if (rest_.empty() || rest_.front() != '"') return std::nullopt;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      if (byte < 0x20) return std::nullopt;
      if (byte == '\\') {
        ++i;
      } else if (byte == '"') {
        const std::string_view text = rest_.substr(0, i + 1);
        rest_.remove_prefix(i + 1);
        return text;
      }
    }
    return std::nullopt;
  }

  /// A number or null, up to the comma that follows.
  std::optional<std::string_view> unquoted_text() noexcept {
    constexpr std::size_t kLongestNumber = 400;
    const std::size_t end = rest_.substr(0, kLongestNumber).find(',');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return text;
  }

  std::string_view rest_;
};

template <class Name>
bool read_name(HeadReader& head, Name& out) {
  std::string text;
  if (!head.string(text)) return false;
  out = Name(std::move(text));
  return true;
}

bool read_header(HeadReader& head, SessionSummary& summary) {
  if (!head.literal("{\"sessile\":{\"format\":1,\"title\":") || !head.string(summary.title)) return false;
  if (!head.literal(",\"messages\":") || !head.number(summary.message_count)) return false;
  summary.pinned = head.literal(",\"pinned\":true");
  return head.literal("},\n");
}

bool read_identity(HeadReader& head, SessionSummary& summary) {
  std::string own_title;  // the header has the one to show
  if (!head.literal("\"session_id\":") || !read_name(head, summary.id)) return false;
  if (!head.literal(",\n\"agent_id\":") || !read_name(head, summary.agent_id)) return false;
  if (head.literal(",\n\"user_id\":") && !head.string(summary.user_id)) return false;
  if (head.literal(",\n\"project_id\":") && !head.string(summary.project_id)) return false;
  if (head.literal(",\n\"parent_id\":") && !read_name(head, summary.parent_id)) return false;
  if (head.literal(",\n\"title\":") && !head.string(own_title)) return false;
  if (!head.literal(",\n\"created_at\":") || !head.timestamp(summary.created_at)) return false;
  if (!head.literal(",\n\"updated_at\":") || !head.timestamp(summary.updated_at)) return false;
  return head.literal(",\n\"revision\":") && head.number(summary.revision);
}

}  // namespace

std::optional<SessionSummary> decode_head(std::string_view head) {
  static_assert(kFormatVersion == 1, "the header's literal names the format");
  HeadReader reader(head);
  SessionSummary summary;
  if (!read_header(reader, summary) || !read_identity(reader, summary)) return std::nullopt;
  if (!reader.literal(",\n\"metadata\":") && !reader.literal(",\n\"messages\":[")) return std::nullopt;
  // Without a revision of its own it takes one from all of its bytes.
  if (summary.revision == 0 || !check(summary.id)) return std::nullopt;
  return summary;
}

}  // namespace sessile
