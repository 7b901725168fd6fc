// The JSON values in a text of lines that not only we have written.
#pragma once

#include <sessile/capabilities.hpp>
#include <sessile/session_log.hpp>

#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <string_view>

namespace sessile::detail {

/// The size of the object at the front of `text`, found by its braces alone; 0 when it does not end.
std::size_t object_size(std::string_view text) noexcept;

/// Called with each value, and where its text is.
using VisitJson = std::function<void(json::value value, const SkippedPart& place)>;

/// Called with each part that is left out. There may be as many as lines: whoever keeps them sets a bound.
using VisitSkipped = std::function<void(const SkippedPart& part)>;

/// Reads every line of `text` as JSON. Objects glued together on one line are each visited. `skip` is called
/// with what cannot be read; blank lines are passed over. `limits.message_bytes` bounds one value.
void read_json_lines(std::string_view text, const Limits& limits, const VisitJson& visit,
                     const VisitSkipped& skip);

}  // namespace sessile::detail
