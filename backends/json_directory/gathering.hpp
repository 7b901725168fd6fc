// Many sessions read in one go, by several threads. All of it blocks.
#pragma once

#include "layout.hpp"

#include <sessile/backend.hpp>

#include <optional>
#include <string>
#include <vector>

namespace sessile::json_directory {

/// The whole sessions of the query's agent: empty when they are more than one page may hold, in number or
/// bytes, or when anything is not as it should be. What they come to does not depend on the order in which
/// they are read. Errors: io.
Result<std::optional<AgentSessions>> gather_sessions(const Place& place, const ListQuery& query,
                                                     const Limits& limits);

/// What read_summary says of each of the logs, by their names without extension.
std::vector<Result<SessionSummary>> read_summaries(const Place& place, const std::vector<std::string>& names,
                                                   const Limits& limits);

}  // namespace sessile::json_directory
