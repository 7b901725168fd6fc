#include "json/same_text.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace sessile::detail {

bool same_text(const json::array& a, const json::array& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const json::value& x, const json::value& y) { return same_text(x, y); });
}

bool same_time(const Timestamp& a, const Timestamp& b) {
  return a == b && a.original() == b.original();
}

bool same_text(const json::object& a, const json::object& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.key() == y.key() && same_text(x.value(), y.value());
  });
}

bool same_text(const json::value& a, const json::value& b) {
  if (a.is_double() != b.is_double()) return false;
  if (a.is_double()) {
    return std::bit_cast<std::uint64_t>(a.get_double()) == std::bit_cast<std::uint64_t>(b.get_double());
  }
  if (a.is_object() && b.is_object()) return same_text(a.get_object(), b.get_object());
  if (a.is_array() && b.is_array()) return same_text(a.get_array(), b.get_array());
  return a == b;
}

bool same_text(const Message& a, const Message& b) {
  return a.role == b.role && same_time(a.timestamp, b.timestamp) && a.trajectory == b.trajectory &&
         same_text(a.content, b.content) && same_text(a.extra, b.extra);
}

bool same_text(const TrajectoryStep& a, const TrajectoryStep& b) {
  return a.tool == b.tool && a.output_summary == b.output_summary && a.duration == b.duration &&
         a.is_error == b.is_error && a.call_id == b.call_id && same_time(a.timestamp, b.timestamp) &&
         same_text(a.arguments, b.arguments) && same_text(a.extra, b.extra);
}

bool same_text(const Session& a, const Session& b) {
  const auto alike = [](const auto& x, const auto& y) { return same_text(x, y); };
  return a.id == b.id && a.agent_id == b.agent_id && a.user_id == b.user_id && a.project_id == b.project_id &&
         a.parent_id == b.parent_id && a.title == b.title && same_time(a.created_at, b.created_at) &&
         std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(), b.messages.end(), alike) &&
         std::equal(a.trajectory.begin(), a.trajectory.end(), b.trajectory.begin(), b.trajectory.end(),
                    alike) &&
         same_text(a.metadata, b.metadata) && same_text(a.extra, b.extra);
}

}  // namespace sessile::detail
