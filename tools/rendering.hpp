// A session as a person reads it.
#pragma once

#include <sessile/session.hpp>

#include <string>

namespace sessile::tools {

/// Head, then the messages: texts whole, tool calls, their results and reasoning shortened. Nothing in it
/// reaches a terminal as a control character.
std::string rendered(const Session& session);

}  // namespace sessile::tools
