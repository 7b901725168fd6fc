// Where a text stops being UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace sessile::detail {

/// Length of the longest prefix of `text` that is well-formed UTF-8: text.size() when all of it is.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

/// Length of the first `count` code points of `text`, which is UTF-8; text.size() when it has no more than
/// that.
std::size_t code_points_prefix(std::string_view text, std::size_t count) noexcept;

}  // namespace sessile::detail
