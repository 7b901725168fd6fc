// The kernel's locks on a sidecar file.
#pragma once

#include "storage/file_system.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace sessile::storage {

/// Directory::try_lock for the directory open as `directory`. Thread-safe.
///
/// A process has at most one lock of a sidecar, whatever the primitive: a second attempt answers EWOULDBLOCK
/// without opening the file, since closing any descriptor of it would drop a POSIX record lock that is held.
SysResult<std::unique_ptr<LockFile>> try_lock_sidecar(int directory, const std::string& name,
                                                      LockPrimitive primitive);

/// The process that holds the sidecar's lock, as far as the kernel tells: 0 when it does not, or nobody has.
std::int64_t sidecar_holder(int directory, const std::string& name, LockPrimitive primitive);

}  // namespace sessile::storage
