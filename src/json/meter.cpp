#include "json/meter.hpp"

#include "json/escape.hpp"
#include "json/fault.hpp"
#include "json/number.hpp"
#include "json/parser.hpp"
#include "json/utf8.hpp"

#include <algorithm>
#include <cmath>

namespace sessile::detail {
namespace {

/// Bytes of `text` as a JSON string.
std::uint64_t quoted_size(std::string_view text) noexcept {
  std::uint64_t size = text.size() + 2;
  for (std::size_t i = next_escape(text, 0); i < text.size(); i = next_escape(text, i + 1)) {
    const char c = text[i];
    const bool short_form =
        c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t';
    size += short_form ? 1 : 5;
  }
  return size;
}

bool is_string_or_number(std::string_view text) {
  const bool one_line = std::none_of(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; });
  // A byte order mark, which the parser passes over, would stand in the middle of a document.
  if (!one_line || text.empty() || static_cast<unsigned char>(text.front()) >= 0x80) return false;
  const Result<json::value> value = parse_json(text, Origin::caller);
  return value && (value->is_string() || value->is_number());
}

}  // namespace

Meter::Meter(const Limits& limits, std::uint32_t level)
    : limits_(limits), depth_limit_(depth_limit(limits)), base_level_(level) {
  steps_.reserve(16);
}

void Meter::open(char bracket) {
  ++size_;
  fresh_ = true;
  if (base_level_ + steps_.size() >= depth_limit_) {
    fail(Errc::too_large, "nested deeper than " + std::to_string(depth_limit_) + " levels");
  }
  steps_.emplace_back().in_array = bracket == '[';
}

void Meter::close(char) {
  ++size_;
  fresh_ = false;
  steps_.pop_back();
}

void Meter::comma() noexcept {
  size_ += fresh_ ? 0 : 1;
  fresh_ = false;
}

void Meter::name(std::string_view field) {
  comma();
  size_ += field.size() + 3;
  steps_.back().key = field;
}

void Meter::field(std::string_view key) {
  comma();
  steps_.back().key = {};
  if (!is_utf8(key)) return fail(Errc::invalid_argument, "a field's name is not UTF-8");
  steps_.back().key = key;
  size_ += quoted_size(key) + 1;
}

void Meter::element(std::size_t index) {
  comma();
  steps_.back().index = index;
}

void Meter::end_message() {
  const std::uint64_t size = size_ - message_start_;
  if (size > limits_.message_bytes) {
    fail(Errc::too_large, "a message of " + std::to_string(size) + " bytes; the limit is " +
                              std::to_string(limits_.message_bytes));
  }
}

void Meter::string(std::string_view text) {
  if (!is_utf8(text)) return refuse("a string that is not UTF-8");
  size_ += quoted_size(text);
}

void Meter::value(const json::value& content) {
  if (fault_) return;
  switch (content.kind()) {
    case json::kind::null:
      size_ += 4;
      return;
    case json::kind::bool_:
      return boolean(content.get_bool());
    case json::kind::int64:
      return signed_number(content.get_int64());
    case json::kind::uint64:
      return unsigned_number(content.get_uint64());
    case json::kind::double_:
      return real(content.get_double());
    case json::kind::string:
      return string({content.get_string().data(), content.get_string().size()});
    case json::kind::array:
      return array(content.get_array());
    case json::kind::object:
      return object(content.get_object());
  }
}

void Meter::array(const json::array& content) {
  open('[');
  for (std::size_t i = 0; i < content.size() && !fault_; ++i) {
    element(i);
    value(content[i]);
  }
  close(']');
}

void Meter::object(const json::object& content) {
  if (fault_) return;
  open('{');
  for (const auto& member : content) {
    if (fault_) break;
    field({member.key().data(), member.key().size()});
    value(member.value());
  }
  close('}');
}

void Meter::unsigned_number(std::uint64_t number) {
  scratch_.clear();
  append_number(scratch_, number);
  size_ += scratch_.size();
}

void Meter::signed_number(std::int64_t number) {
  scratch_.clear();
  append_number(scratch_, number);
  size_ += scratch_.size();
}

void Meter::real(double number) {
  if (!std::isfinite(number)) return refuse("a number that is infinite, or none");
  scratch_.clear();
  append_number(scratch_, number);
  size_ += scratch_.size();
}

void Meter::timestamp(const Timestamp& time) {
  if (!time.original().empty()) {
    if (!is_string_or_number(time.original())) {
      return refuse("a timestamp whose original text is neither a JSON string nor a JSON number");
    }
    size_ += time.original().size();
  } else if (time.is_set()) {
    const std::string text = format_time(time.time());
    if (parse_time(text) != time.time()) return refuse("a time before year 1 or after year 9999");
    size_ += text.size() + 2;
  } else {
    size_ += 4;
  }
}

void Meter::stamp(const Timestamp& time) {
  const std::uint64_t before = size_;
  timestamp(time);
  widen(before);
}

void Meter::refuse(std::string_view problem) {
  fail(Errc::invalid_argument, problem);
}

void Meter::fail(Errc code, std::string_view problem) {
  if (!fault_) fault_ = Error(code, place().append(": ").append(problem));
}

std::string Meter::place() const {
  std::string pointer;
  for (const Step& step : steps_) {
    if (step.in_array) {
      append_index(pointer, step.index);
    } else if (!step.key.empty()) {
      append_key(pointer, step.key);
    }
  }
  return pointer.empty() ? "the root" : pointer;
}

Result<std::uint64_t> Meter::result() const {
  if (fault_) return *fault_;
  return size_;
}

Result<std::uint64_t> Meter::result(std::uint64_t limit, std::string_view what) const {
  if (!fault_ && size_ > limit) {
    return Error(Errc::too_large, std::string(what) + " of " + std::to_string(size_) +
                                      " bytes; the limit is " + std::to_string(limit));
  }
  return result();
}

}  // namespace sessile::detail
