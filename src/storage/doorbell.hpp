// A wake-up for one waiter among all processes of the machine.
#pragma once

#include "storage/file_system.hpp"

#include <memory>
#include <string>

namespace sessile::storage {

/// Calls `rung`, on a thread of the process-wide pool, whenever somebody rings at `name`, until the watch is
/// destroyed. It is a datagram socket bound to a name in Linux's abstract namespace: nothing is left behind
/// when the process dies. Whoever is not in the same network namespace rings in vain; anybody may ring, so
/// that a ring tells nothing but to look again. EADDRINUSE when the name is taken, EMFILE. Thread-safe.
SysResult<std::unique_ptr<Watch>> hang_doorbell(const std::string& name, WatchCallback rung);

/// Rings at `name`, if anybody is there. Never waits. Thread-safe.
void ring_doorbell(const std::string& name) noexcept;

}  // namespace sessile::storage
