#include "json/parser.hpp"

#include "json/number.hpp"
#include "json/utf8.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <array>

namespace sessile {
namespace {

using boost::system::error_code;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// A text holds more than the compact session: indentation, line ends, what a store keeps beside the session.
std::uint64_t longest_text(const Limits& limits) noexcept {
  constexpr std::uint64_t kSlack = std::uint64_t{1} << 20;
  const std::uint64_t half_range = (~std::uint64_t{0} - kSlack) / 2;
  return std::min(limits.session_bytes, half_range) * 2 + kSlack;
}

/// Builds the value from the parser's events. Numbers are read from their text, since Boost.JSON's own
/// doubles are not always the nearest.
class Builder {
 public:
  static constexpr std::size_t max_object_size = ~std::size_t{0};
  static constexpr std::size_t max_array_size = ~std::size_t{0};
  static constexpr std::size_t max_key_size = ~std::size_t{0};
  static constexpr std::size_t max_string_size = ~std::size_t{0};

  Builder() : stack_(json::storage_ptr(), buffer_.data(), buffer_.size()) { stack_.reset(); }

  json::value release() { return stack_.release(); }
  /// Where the number that was refused begins; null when none was.
  const char* refused_number() const noexcept { return refused_number_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t count, error_code&) { return stack_.push_object(count), true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t count, error_code&) { return stack_.push_array(count), true; }
  bool on_key_part(json::string_view text, std::size_t, error_code&) { return stack_.push_chars(text), true; }
  bool on_key(json::string_view text, std::size_t, error_code&) { return stack_.push_key(text), true; }
  bool on_string_part(json::string_view text, std::size_t, error_code&) {
    return stack_.push_chars(text), true;
  }
  bool on_string(json::string_view text, std::size_t, error_code&) { return stack_.push_string(text), true; }
  // The whole text is parsed in one piece, so that a number never comes in parts.
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view text, error_code&) {
    if (value == 0 && text.front() == '-') return stack_.push_double(-0.0), true;
    return stack_.push_int64(value), true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, error_code&) {
    return stack_.push_uint64(value), true;
  }
  bool on_double(double, json::string_view text, error_code& failure) {
    const std::optional<double> value = detail::exact_double({text.data(), text.size()});
    if (!value) {
      refused_number_ = text.data();
      failure = json::error::not_exact;
      return false;
    }
    return stack_.push_double(*value), true;
  }
  bool on_bool(bool value, error_code&) { return stack_.push_bool(value), true; }
  bool on_null(error_code&) { return stack_.push_null(), true; }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  std::array<unsigned char, 4096> buffer_;  // spares small texts the stack's allocations
  json::value_stack stack_;
  const char* refused_number_ = nullptr;
};

std::string line_and_column(std::string_view before) {
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t last = before.rfind('\n');
  const std::string_view on_line = last == std::string_view::npos ? before : before.substr(last + 1);
  const auto column = 1 + std::count_if(on_line.begin(), on_line.end(), [](char c) {
                        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
                      });
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

Error fault_at(Errc code, std::string_view text, std::size_t offset, std::string_view problem) {
  offset = std::min(offset, text.size());
  return Error(code, std::string(problem) + " at " + line_and_column(text.substr(0, offset)))
      .with_offset(offset);
}

std::string_view problem_of(const error_code& failure, bool at_end) noexcept {
  if (failure == json::error::incomplete) return "the JSON ends too early";
  if (failure == json::error::extra_data) return "text follows the end of the JSON";
  if (failure == json::error::exponent_overflow || failure == json::error::not_exact) {
    return "a number that neither an integer of 64 bits nor a double holds";
  }
  if (failure == json::error::illegal_leading_surrogate ||
      failure == json::error::illegal_trailing_surrogate || failure == json::error::expected_utf16_escape) {
    return "a lone surrogate in a string";
  }
  if (failure == json::error::expected_hex_digit) return "a malformed \\u escape";
  return at_end ? "the JSON ends too early" : "not valid JSON";
}

}  // namespace

namespace detail {

Result<json::value> parse_at_level(std::string_view text, Origin origin, const Limits& limits,
                                   std::uint32_t level) {
  const std::uint64_t longest = longest_text(limits);
  if (text.size() > longest) {
    return Error(Errc::too_large, "a text of " + std::to_string(text.size()) + " bytes; at most " +
                                      std::to_string(longest) + " are read with these limits");
  }
  const std::size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  const std::uint32_t depth = depth_limit(limits);
  json::parse_options options;
  options.max_depth = depth < level ? 0 : depth - level + 1;
  json::basic_parser<Builder> parser(options);
  error_code failure;
  const std::size_t read = parser.write_some(false, text.data() + start, text.size() - start, failure);
  std::size_t offset = start + read;
  if (!failure && offset < text.size()) failure = json::error::extra_data;
  if (!failure) return parser.handler().release();

  if (failure == json::error::too_deep) {
    return fault_at(Errc::too_large, text, offset, "nested deeper than " + std::to_string(depth) + " levels");
  }
  // The parser looks ahead: what stops it may be bytes that are not UTF-8 a little further on.
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid < text.size() && valid <= offset + 4) {
    return fault_at(fault_code(origin), text, valid, "not UTF-8");
  }
  if (const char* number = parser.handler().refused_number()) {
    offset = static_cast<std::size_t>(number - text.data());
  }
  return fault_at(fault_code(origin), text, offset, problem_of(failure, offset == text.size()));
}

}  // namespace detail

Result<json::value> parse_json(std::string_view text, Origin origin, const Limits& limits) {
  return detail::parse_at_level(text, origin, limits, 1);
}

}  // namespace sessile
