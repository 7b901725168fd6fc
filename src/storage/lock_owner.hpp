// Who holds a sidecar's lock, told from what the kernel shows of it.
#pragma once

#include "storage/file_system.hpp"

#include <string>

namespace sessile::storage {

/// Directory::lock_holder for the directory open as `directory`.
///
/// The kernel does not say who owns an open file description. But /proc shows, for every process that we may
/// look into (the same user's, as a rule), its open files and the locks on each. Nothing is written down
/// anywhere, so a holder is named only while it holds. Costs a walk through /proc, bounded; for errors only.
/// Thread-safe.
LockOwner find_lock_owner(int directory, const std::string& sidecar);

}  // namespace sessile::storage
