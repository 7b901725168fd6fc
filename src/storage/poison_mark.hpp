// Which files a failed sync has made unfit to be appended to or synced again, for all processes of this
// machine to see.
#pragma once

#include "storage/file_system.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sessile::storage {

/// The mark that says of the file `name` that a sync failed.
std::string poison_mark_of(std::string_view name);
/// The file that `entry` is the mark of; empty when it is none.
std::optional<std::string> name_of_poison_mark(std::string_view entry);

/// Marks the file, in this process at least: the file that is the mark for others may be impossible to make.
void mark_poisoned(Directory& directory, const std::string& name);
bool is_poisoned(Directory& directory, const std::string& name);
/// For whoever has replaced or removed the file: after a commit point, so nothing is thrown.
void clear_poison(Directory& directory, const std::string& name) noexcept;

}  // namespace sessile::storage
