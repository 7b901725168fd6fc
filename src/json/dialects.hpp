// The documents of other programs.
#pragma once

#include "json/fault.hpp"

#include <sessile/json.hpp>

namespace sessile::detail {

/// Which fields of ours a document has; what it has not may be read from another program's.
class Present {
 public:
  Present() noexcept {}
  bool updated_at = false;
  bool parent_id = false;
  bool messages = false;
  bool trajectory = false;
};

/// Completes `session` from the fields that the reference library writes: last_active_at, parent_spawn_ref,
/// loops. They stay in extra as they are, so that it can still read the document; what is not as expected
/// there is no fault.
void read_loops_dialect(Session& session, const Present& present);

/// Completes `session` from the fields that the agent operating system writes: user_messages,
/// agent_responses, trajectory_steps, parent_session_id. They leave extra, unless they hold what our form has
/// no place for: then they stay as well. Nothing of them is lost.
void read_exchange_dialect(Session& session, const Present& present);

}  // namespace sessile::detail
