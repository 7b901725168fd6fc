#include "json/fields.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sessile::detail {
namespace {

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 14> kSessionFields = {
    "sessile",    "session_id", "agent_id", "user_id",  "project_id", "parent_id",  "title",
    "created_at", "updated_at", "revision", "metadata", "messages",   "trajectory", "sessile_appends"};
constexpr std::array<std::string_view, 4> kMessageFields = {"role", "content", "timestamp", "trajectory"};
constexpr std::array<std::string_view, 7> kStepFields = {
    "tool", "arguments", "output_summary", "duration_ms", "is_error", "call_id", "timestamp"};

std::string json_text(const json::value& value) {
  std::string text;
  write_json(text, value);
  return text;
}

Timestamp from_text(const json::string& text) {
  const std::optional<TimePoint> time = parse_time(view(text));
  if (!time) return Timestamp::unreadable(json_text(text));
  if (format_time(*time) == view(text)) return Timestamp(*time);
  return Timestamp(*time, json_text(text));
}

double to_double(const json::value& number) noexcept {
  if (number.is_int64()) return static_cast<double>(number.get_int64());
  if (number.is_uint64()) return static_cast<double>(number.get_uint64());
  return number.get_double();
}

/// `time` as a number in the unit that `like` is in.
json::value epoch_like(TimePoint time, const json::value& like) {
  const double size = std::fabs(to_double(like));
  const std::int64_t micros = time.time_since_epoch().count();
  if (!like.is_double()) {
    if (size < 1e11) return micros / 1000000;
    if (size < 1e14) return micros / 1000;
    if (size < 1e17) return micros;
    constexpr std::int64_t kMostMicros = std::numeric_limits<std::int64_t>::max() / 1000;
    return std::abs(micros) <= kMostMicros ? json::value(micros * 1000) : like;
  }
  const auto exact = static_cast<double>(micros);
  if (size < 1e11) return exact / 1e6;
  if (size < 1e14) return exact / 1e3;
  return size < 1e17 ? exact : exact * 1e3;
}

Checked read_trajectory(const json::value& value, std::optional<TrajectoryRange>& out) {
  if (value.is_null()) return {};
  const json::array* pair = value.if_array();
  if (pair && pair->size() == 2) {
    const std::optional<std::uint64_t> begin = to_unsigned((*pair)[0]);
    const std::optional<std::uint64_t> end = to_unsigned((*pair)[1]);
    if (begin && end) {
      out = TrajectoryRange(*begin, *end);
      return {};
    }
  }
  return fault_in("trajectory", "expected an array of two non-negative integers");
}

Checked read_duration(const json::value& value, std::optional<std::chrono::milliseconds>& out) {
  if (value.is_null()) return {};
  if (!value.is_int64()) return fault_in("duration_ms", "expected an integer");
  out = std::chrono::milliseconds(value.get_int64());
  return {};
}

Checked read_boolean(std::string_view name, const json::value& value, bool& out) {
  if (value.is_null()) return {};
  if (!value.is_bool()) return fault_in(name, "expected true or false");
  out = value.get_bool();
  return {};
}

}  // namespace

bool is_session_field(std::string_view name, const json::value& value) noexcept {
  // Only `partial: true` is ours; another program may have a field of that name.
  if (name == "partial") return value.is_bool() && value.get_bool();
  return contains(kSessionFields, name);
}

bool is_message_field(std::string_view name, const json::value&) noexcept {
  return contains(kMessageFields, name);
}

bool is_step_field(std::string_view name, const json::value&) noexcept {
  return contains(kStepFields, name);
}

std::optional<json::value> refreshed_last_active(const Session& session, const Timestamp& updated_at) {
  if (!updated_at.is_set()) return std::nullopt;
  const json::value* stored = session.extra.if_contains("last_active_at");
  if (!stored) return std::nullopt;
  const std::optional<Timestamp> before = to_timestamp(*stored);
  if (!before || !before->is_set() || *before == updated_at) return std::nullopt;
  if (stored->is_number()) return epoch_like(updated_at.time(), *stored);
  return json::value(json::string(json_view(format_time(updated_at.time()))));
}

std::optional<Timestamp> to_timestamp(const json::value& value) {
  if (value.is_null()) return Timestamp();
  if (const json::string* text = value.if_string()) return from_text(*text);
  if (!value.is_number()) return std::nullopt;
  const std::optional<TimePoint> time = time_from_epoch(to_double(value));
  return time ? Timestamp(*time, json_text(value)) : Timestamp::unreadable(json_text(value));
}

std::optional<std::uint64_t> to_unsigned(const json::value& value) noexcept {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
  return std::nullopt;
}

Checked read_string(std::string_view name, const json::value& value, std::string& out) {
  if (value.is_null()) return {};
  const json::string* text = value.if_string();
  if (!text) return fault_in(name, "expected a string");
  out.assign(text->data(), text->size());
  return {};
}

Checked read_timestamp(std::string_view name, const json::value& value, Timestamp& out) {
  std::optional<Timestamp> time = to_timestamp(value);
  if (!time) return fault_in(name, "expected a time, as a string or a number");
  out = *std::move(time);
  return {};
}

Checked read_unsigned(std::string_view name, const json::value& value, std::uint64_t& out) {
  if (value.is_null()) return {};
  const std::optional<std::uint64_t> number = to_unsigned(value);
  if (!number) return fault_in(name, "expected a non-negative integer");
  out = *number;
  return {};
}

Checked take_message(json::object&& from, Message& to) {
  for (auto& field : from) {
    const std::string_view name = view(field.key());
    json::value& value = field.value();
    Checked fault;
    if (name == "role") {
      fault = read_string(name, value, to.role);
    } else if (name == "content") {
      to.content = std::move(value);
    } else if (name == "timestamp") {
      fault = read_timestamp(name, value, to.timestamp);
    } else if (name == "trajectory") {
      fault = read_trajectory(value, to.trajectory);
    } else {
      to.extra.emplace(field.key(), std::move(value));
    }
    if (fault) return fault;
  }
  return {};
}

Checked take_step(json::object&& from, TrajectoryStep& to) {
  for (auto& field : from) {
    const std::string_view name = view(field.key());
    json::value& value = field.value();
    Checked fault;
    if (name == "tool") {
      fault = read_string(name, value, to.tool);
    } else if (name == "arguments") {
      to.arguments = std::move(value);
    } else if (name == "output_summary") {
      fault = read_string(name, value, to.output_summary);
    } else if (name == "duration_ms") {
      fault = read_duration(value, to.duration);
    } else if (name == "is_error") {
      fault = read_boolean(name, value, to.is_error);
    } else if (name == "call_id") {
      fault = read_string(name, value, to.call_id);
    } else if (name == "timestamp") {
      fault = read_timestamp(name, value, to.timestamp);
    } else {
      to.extra.emplace(field.key(), std::move(value));
    }
    if (fault) return fault;
  }
  return {};
}

}  // namespace sessile::detail
