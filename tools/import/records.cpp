#include "import/records.hpp"

#include <sessile/json.hpp>

#include <algorithm>

namespace sessile::importing {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Limits parse_limits(const ImportLimits& limits) {
  Limits result;
  result.depth = limits.depth;
  result.session_bytes = limits.line_bytes;
  return result;
}

// The length of the object that `text` starts with, judged by its brackets; 0 when it does not end.
std::size_t object_length(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth <= 1) return i + 1;
      --depth;
    }
  }
  return 0;
}

// Why a line was not read: the parser's own words, which name a place and no content. It saw one line alone.
std::string reason_of(const Error& error) {
  std::string reason = error.detail().empty() ? std::string(name(error.code())) : error.detail();
  constexpr std::string_view kFirstLine = "line 1, ";
  if (const std::size_t at = reason.find(kFirstLine); at != std::string::npos)
    reason.erase(at, kFirstLine.size());
  return reason;
}

void add(json::value value, std::uint64_t number, std::vector<Record>& records, FileReport& report) {
  if (!value.is_object())
    report.skip(number, "not a JSON object; kept with the session, but no part of the conversation");
  records.emplace_back(number, report.records++, std::move(value));
}

}  // namespace

void parse_line(std::string_view line, std::uint64_t number, const ImportLimits& limits,
                std::vector<Record>& records, FileReport& report) {
  std::string_view left = trimmed(line);
  if (number == 1 && left.starts_with("\xEF\xBB\xBF")) left = trimmed(left.substr(3));
  if (left.empty()) return;
  if (std::all_of(left.begin(), left.end(), [](char c) { return c == '\0'; })) {
    return report.skip(number, "NUL bytes, as a crash leaves them");
  }
  const Limits bounds = parse_limits(limits);
  Result<json::value> whole = parse_json(left, Origin::caller, bounds);
  if (whole) return add(std::move(*whole), number, records, report);
  const std::string reason = reason_of(whole.error());

  // Writers that were cut off before the newline glue the next record on: each that is complete is recovered.
  bool recovered = false;
  while (left.starts_with('{')) {
    const std::size_t length = object_length(left);
    if (length == 0 || (!recovered && length == left.size())) break;
    Result<json::value> part = parse_json(left.substr(0, length), Origin::caller, bounds);
    if (!part) break;
    recovered = true;
    add(std::move(*part), number, records, report);
    left = trimmed(left.substr(length));
  }
  if (left.empty()) return;
  report.skip(number, recovered ? "what follows the last complete record on this line is no JSON" : reason);
}

std::string_view string_at(const json::value& object, std::string_view key) noexcept {
  const json::value* value = value_at(object, key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

const json::value* value_at(const json::value& object, std::string_view key) noexcept {
  return object.is_object() ? object.get_object().if_contains(key) : nullptr;
}

}  // namespace sessile::importing
