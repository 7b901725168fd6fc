// What the command reads from stdin.
#pragma once

#include <sessile/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace sessile::tools {

/// All of stdin. On a terminal it says first what it waits for. Errors: io, too_large.
Result<std::string> read_input(std::string_view expected, std::uint64_t max_bytes);

}  // namespace sessile::tools
