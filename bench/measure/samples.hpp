// The sessions and messages that the benchmark stores: made up, the same on every machine.
#pragma once

#include <sessile/session.hpp>

#include <cstdint>
#include <string_view>

namespace sessile::bench {

/// A conversation of about half a kilobyte a message whose compact JSON takes `bytes` (but at least what an
/// empty conversation takes). `variant` decides the text: of all messages, or, with `only_tail`, of the last
/// one. Deterministic.
SessionPtr sample_session(SessionId id, AgentId agent, std::uint64_t bytes, std::uint64_t variant,
                          bool only_tail = false);

/// A message whose compact JSON takes `bytes`, or as much as an empty one.
Message sample_message(std::uint64_t bytes, std::uint64_t variant);

}  // namespace sessile::bench
