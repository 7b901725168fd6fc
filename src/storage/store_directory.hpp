// The directory that a store of files is opened with.
#pragma once

#include <sessile/lock_options.hpp>
#include <sessile/result.hpp>

#include <filesystem>
#include <string_view>

namespace sessile::storage {

/// Checks, before any I/O, what a program opens a store with, and makes the path absolute: what it means must
/// not change with the working directory. `backend` is named in errors. Errors: invalid_argument for a path
/// that is empty or holds a NUL, where the operating system would take it to end, and for a negative timeout
/// of the lock.
Result<std::filesystem::path> store_directory(std::filesystem::path directory, const LockOptions& lock,
                                              std::string_view backend);

}  // namespace sessile::storage
