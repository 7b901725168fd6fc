// One readable JSON file a session, in one directory.
#pragma once

#include <sessile/lock_options.hpp>
#include <sessile/open.hpp>

#include <filesystem>
#include <memory>

namespace sessile {

/// A store in `directory`; backends/filesystem/README.md gives its format and promises. Does no I/O.
/// A relative path is taken from the working directory of now. Errors: invalid_argument for a path that is
/// empty or holds a NUL, and for a negative lock timeout. URL: `file:DIR?lock=…&lock_timeout=…&waiting=…`.
Result<std::shared_ptr<SessionStore>> make_filesystem_store(std::filesystem::path directory,
                                                            LockOptions lock = LockOptions(),
                                                            OpenOptions options = OpenOptions());

}  // namespace sessile
