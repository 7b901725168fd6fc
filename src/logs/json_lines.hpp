// The JSON values in a text of lines that not only we have written.
#pragma once

#include <sessile/capabilities.hpp>
#include <sessile/session_log.hpp>

#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace sessile::detail {

/// The size of the object at the front of `text`, found by its braces alone; 0 when it does not end.
std::size_t object_size(std::string_view text) noexcept;

/// Called with each value, and where its text is.
using VisitJson = std::function<void(json::value value, const SkippedPart& place)>;

/// Reads every line of `text` as JSON. Objects glued together on one line are each visited. What cannot be
/// read is added to `skipped`; blank lines are passed over. `limits.message_bytes` bounds one value.
void read_json_lines(std::string_view text, const Limits& limits, const VisitJson& visit,
                     std::vector<SkippedPart>& skipped);

}  // namespace sessile::detail
