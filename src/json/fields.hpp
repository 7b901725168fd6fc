// The names of the fields we know, and how single fields are read.
#pragma once

#include "json/fault.hpp"

#include <sessile/json.hpp>

namespace sessile::detail {

inline std::string_view view(json::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline json::string_view json_view(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

/// True when extra must not hold `name`: it is a field of ours at that level.
bool is_session_field(std::string_view name, const json::value& value) noexcept;
bool is_message_field(std::string_view name, const json::value& value) noexcept;
bool is_step_field(std::string_view name, const json::value& value) noexcept;

/// What to write for last_active_at in `session.extra`: `updated_at`, in the form and unit that is there.
/// Empty when it is not there, is no time, or says updated_at already. The reference library, which reads the
/// document again, would see a time that stands still.
std::optional<json::value> refreshed_last_active(const Session& session, const Timestamp& updated_at);

/// A string or a number is a timestamp, readable or not; null is one that is not set; all else is none.
std::optional<Timestamp> to_timestamp(const json::value& value);

/// Read a field; null leaves `out` as it is.
Checked read_string(std::string_view name, const json::value& value, std::string& out);
Checked read_timestamp(std::string_view name, const json::value& value, Timestamp& out);
Checked read_unsigned(std::string_view name, const json::value& value, std::uint64_t& out);

/// A non-negative integer of any kind of number that holds it as an integer; empty when it is none.
std::optional<std::uint64_t> to_unsigned(const json::value& value) noexcept;

/// Takes the parts of one of ours from its object; what is unknown goes to extra.
Checked take_message(json::object&& from, Message& to);
Checked take_step(json::object&& from, TrajectoryStep& to);

}  // namespace sessile::detail
