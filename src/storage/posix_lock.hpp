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

/// A sidecar that was let go may be open still. That of one name, in a directory, is closed, so that who
/// waits for a closing is woken; or those of all names, before the directory itself is closed. Thread-safe.
void close_idle_sidecar(int directory, const std::string& name) noexcept;
void close_idle_sidecars(int directory) noexcept;

}  // namespace sessile::storage
