// The kernel's locks on a sidecar file.
#pragma once

#include "storage/file_system.hpp"

#include <memory>
#include <string>

namespace sessile::storage {

/// Directory::open_sidecar for the directory open as `directory`, which must stay open until the sidecar is
/// locked. Thread-safe.
///
/// A process has a sidecar open at most once, whatever the primitive: a second attempt answers EWOULDBLOCK
/// without opening the file, since closing any descriptor of it would drop a POSIX record lock that is held.
SysResult<std::unique_ptr<Sidecar>> open_sidecar(int directory, const std::string& name,
                                                 LockPrimitive primitive);

}  // namespace sessile::storage
