// A store that breaks its promises in one way, which shows only when operations overlap.
#pragma once

#include <sessile/store.hpp>

#include <memory>

namespace sessile::linearizability {

enum class Flaw {
  none,
  loses_updates,       ///< append loads, and saves what it made of it
  reads_stale,         ///< load may return what it returned before
  ignores_revision,    ///< save does not look at if_revision
  resurrects,          ///< update brings a removed session back
  creates_twice,       ///< save looks for the session, and then creates it
  forgets_keys,        ///< append does not remember its key
  times_out_too_late,  ///< append may say timed_out, and takes effect
  reuses_revisions,    ///< a session created again starts from the revision of its first save
  tears,               ///< load may return half of the messages of one state under the revision of another
};

/// On `inner`, which is correct.
std::shared_ptr<SessionStore> make_flawed_store(std::shared_ptr<SessionStore> inner, Flaw flaw);

}  // namespace sessile::linearizability
