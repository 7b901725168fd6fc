// How deep and how long a text may be.
#pragma once

#include <sessile/json.hpp>

namespace sessile::detail {

/// Parsing, writing and destroying a value recurse: deeper than this is refused whatever Limits::depth says,
/// so that no stack overflows.
inline constexpr std::uint32_t kDeepest = 1000;

inline std::uint32_t depth_limit(const Limits& limits) noexcept {
  return limits.depth < kDeepest ? limits.depth : kDeepest;
}

/// parse_json for a text that is itself at level `level` of a session's document (1: the document).
Result<json::value> parse_at_level(std::string_view text, Origin origin, const Limits& limits,
                                   std::uint32_t level);

/// The kind of a fault in a text from `origin`.
inline Errc fault_code(Origin origin) noexcept {
  return origin == Origin::stored ? Errc::corrupt : Errc::invalid_argument;
}

}  // namespace sessile::detail
