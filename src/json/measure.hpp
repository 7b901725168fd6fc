// What an append counts against the limit of a session.
#pragma once

#include <sessile/json.hpp>

#include <cstdint>
#include <vector>

namespace sessile::detail {

/// The bytes that `messages` add to measure() of the session they are appended to, having checked all of
/// them. Errors: as measure(); too_large when they alone are beyond the limit of a session.
Result<std::uint64_t> measure_all(const std::vector<Message>& messages, const Limits& limits);

/// Whether a session that was read is within the limits. Nothing else of it is judged, and of `foreign`,
/// another program's document, which may say things twice, only the messages. Errors: too_large.
Result<void> check_size(const Session& session, bool foreign, const Limits& limits);

}  // namespace sessile::detail
