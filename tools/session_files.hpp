// The files that the backends of files keep a session in, for the conformance suite to damage.
#pragma once

#include <sessile/ids.hpp>
#include <sessile/result.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace sessile::tools {

/// The directory of a `file:` or `jsondir:` URL; empty for any other.
std::optional<std::filesystem::path> directory_of(const std::string& store_url);

/// Overwrites what is stored of a session below `directory` with what cannot be read. Errors: not_found, io.
Result<void> damage_session(const std::filesystem::path& directory, const SessionId& id);

/// Removes it, unreadable as it is. Errors: io.
Result<void> discard_session(const std::filesystem::path& directory, const SessionId& id);

}  // namespace sessile::tools
