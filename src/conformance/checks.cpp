#include "conformance/checks.hpp"

#include <boost/json/serialize.hpp>

#include <bit>

namespace sessile::conformance {
namespace {

constexpr std::size_t kShownBytes = 120;

bool is_integer(const json::value& value) {
  return value.is_int64() || value.is_uint64();
}

std::optional<std::string> object_difference(const json::object& a, const json::object& b) {
  for (const auto& [key, value] : a) {
    const json::value* other = b.if_contains(key);
    if (!other) return "/" + std::string(key);
    if (auto deeper = difference(value, *other)) return "/" + std::string(key) + *deeper;
  }
  for (const auto& [key, value] : b) {
    if (!a.contains(key)) return "/" + std::string(key);
  }
  return std::nullopt;
}

std::optional<std::string> array_difference(const json::array& a, const json::array& b) {
  if (a.size() != b.size()) return "/" + std::to_string(std::min(a.size(), b.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (auto deeper = difference(a[i], b[i])) return "/" + std::to_string(i) + *deeper;
  }
  return std::nullopt;
}

void same_time(const std::string& what, const Timestamp& actual, const Timestamp& expected) {
  expect_equal(what, actual.is_set(), expected.is_set());
  expect_equal(what, actual, expected);
  expect_equal(what + " as it was written", actual.original(), expected.original());
}

void same_message(const std::string& what, const Message& actual, const Message& expected) {
  expect_equal(what + ".role", actual.role, expected.role);
  same_json(what + ".content", actual.content, expected.content);
  same_time(what + ".timestamp", actual.timestamp, expected.timestamp);
  expect(what + ".trajectory as saved", actual.trajectory == expected.trajectory);
  same_json(what + ".extra", actual.extra, expected.extra);
}

void same_step(const std::string& what, const TrajectoryStep& actual, const TrajectoryStep& expected) {
  expect_equal(what + ".tool", actual.tool, expected.tool);
  same_json(what + ".arguments", actual.arguments, expected.arguments);
  expect_equal(what + ".output_summary", actual.output_summary, expected.output_summary);
  expect(what + ".duration as saved", actual.duration == expected.duration);
  expect_equal(what + ".is_error", actual.is_error, expected.is_error);
  expect_equal(what + ".call_id", actual.call_id, expected.call_id);
  same_time(what + ".timestamp", actual.timestamp, expected.timestamp);
  same_json(what + ".extra", actual.extra, expected.extra);
}

}  // namespace

std::string show(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string shown = "\"";
  for (const char c : text.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += "\\x";
      shown += kHex[byte >> 4];
      shown += kHex[byte & 15];
    } else {
      shown += c;
    }
  }
  shown += '"';
  if (text.size() > kShownBytes) shown += " … (" + std::to_string(text.size()) + " bytes)";
  return shown;
}

std::string show(const json::value& value) {
  const std::string text = json::serialize(value);
  return text.size() <= kShownBytes ? text : text.substr(0, kShownBytes) + " …";
}

std::string show(const Timestamp& time) {
  return time.is_set() ? time.text() : "no time";
}
std::string show(const Error& error) {
  return error.message();
}

std::string show(Durability value) {
  constexpr const char* kNames[] = {"none", "process", "power"};
  return kNames[static_cast<int>(value)];
}

std::string show(Completeness value) {
  return value == Completeness::whole ? "whole" : "partial";
}

void fail(std::string_view what, const std::string& expected, const std::string& got) {
  const std::string about = what.empty() ? std::string() : std::string(what) + ": ";
  throw Failure(about + "expected " + expected + ", got " + got);
}

std::optional<std::string> difference(const json::value& a, const json::value& b) {
  bool same = false;
  if (is_integer(a) && is_integer(b)) {
    same = a == b;
  } else if (a.kind() != b.kind()) {
    same = false;
  } else if (a.is_double()) {
    same = std::bit_cast<std::uint64_t>(a.get_double()) == std::bit_cast<std::uint64_t>(b.get_double());
  } else if (a.is_object()) {
    return object_difference(a.get_object(), b.get_object());
  } else if (a.is_array()) {
    return array_difference(a.get_array(), b.get_array());
  } else {
    same = a == b;
  }
  return same ? std::nullopt : std::optional(std::string());
}

void same_json(std::string_view what, const json::value& actual, const json::value& expected) {
  if (const auto place = difference(actual, expected)) {
    const std::string where = place->empty() ? std::string() : " (they differ at " + *place + ")";
    fail(what, show(expected), show(actual) + where);
  }
}

void same_session(std::string_view what, const Session& actual, const Session& expected) {
  const std::string at = std::string(what) + ": ";
  expect_equal(at + "id", actual.id, expected.id);
  expect_equal(at + "agent_id", actual.agent_id, expected.agent_id);
  expect_equal(at + "user_id", actual.user_id, expected.user_id);
  expect_equal(at + "project_id", actual.project_id, expected.project_id);
  expect_equal(at + "parent_id", actual.parent_id, expected.parent_id);
  expect_equal(at + "title", actual.title, expected.title);
  expect_equal(at + "completeness", actual.completeness, expected.completeness);
  expect_equal(at + "number of messages", actual.messages.size(), expected.messages.size());
  for (std::size_t i = 0; i < actual.messages.size(); ++i) {
    same_message(at + "messages/" + std::to_string(i), actual.messages[i], expected.messages[i]);
  }
  expect_equal(at + "number of trajectory steps", actual.trajectory.size(), expected.trajectory.size());
  for (std::size_t i = 0; i < actual.trajectory.size(); ++i) {
    same_step(at + "trajectory/" + std::to_string(i), actual.trajectory[i], expected.trajectory[i]);
  }
  same_json(at + "metadata", actual.metadata, expected.metadata);
  same_json(at + "extra", actual.extra, expected.extra);
}

}  // namespace sessile::conformance
