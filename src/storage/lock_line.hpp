// The line of those who wait for a sidecar, across processes.
#pragma once

#include "storage/file_system.hpp"

#include <memory>
#include <string>

namespace sessile::storage {

/// Directory::stand_in_line for the directory open as `directory`.
///
/// Beside the sidecar `x.lock` an empty file `x.lock.queue` is made when somebody waits for the first time;
/// it is never unlinked. Who waits locks one byte of it, through a descriptor of his own: the byte whose
/// offset is his time of arrival in nanoseconds. Who finds no lock on any byte before his own is first. There
/// is no counter and nothing to be repaired: a lock on a byte goes with the process that took it.
/// Thread-safe.
SysResult<std::unique_ptr<LinePlace>> stand_in_line(int directory, const std::string& sidecar,
                                                    Arrival arrival);

/// Directory::anybody_in_line and ring_for_next for the directory open as `directory`, the latter but for the
/// sidecar; it tells whether anybody is in the line. Thread-safe.
bool anybody_in_line(int directory, const std::string& sidecar, Arrival before) noexcept;
bool ring_for_next(int directory, const std::string& sidecar) noexcept;

}  // namespace sessile::storage
