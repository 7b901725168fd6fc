// Sessions in this process's memory: the reference for the semantics, and the fastest.
#pragma once

#include <sessile/open.hpp>

#include <memory>

namespace sessile {

/// A store that lives as long as its object: max_durability is none, reach is process. Errors: unsupported
/// when a durability other than none is asked for. URL: `memory:`.
Result<std::shared_ptr<SessionStore>> make_memory_store(OpenOptions options = OpenOptions());

}  // namespace sessile
