// SHA-256.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace sessile::detail {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);

/// The first `bytes` bytes of `digest` as lower-case hex.
std::string hex(const Sha256& digest, std::size_t bytes = 32);

}  // namespace sessile::detail
