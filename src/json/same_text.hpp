// Whether two parts of a session are written alike.
#pragma once

#include <sessile/session.hpp>

namespace sessile::detail {

/// operator== overlooks -0 and the order of fields, and of a time the text that it was read from.
bool same_text(const json::value& a, const json::value& b);
bool same_text(const json::object& a, const json::object& b);
bool same_text(const json::array& a, const json::array& b);
bool same_text(const Message& a, const Message& b);
bool same_text(const TrajectoryStep& a, const TrajectoryStep& b);
bool same_time(const Timestamp& a, const Timestamp& b);
/// All that a user writes, as Session::same_content, but by its text.
bool same_text(const Session& a, const Session& b);

}  // namespace sessile::detail
