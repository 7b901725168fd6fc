#pragma once

#include "storage/file_system.hpp"

#include <sessile/lock_options.hpp>
#include <sessile/open.hpp>

#include <filesystem>
#include <memory>
#include <optional>

namespace sessile::detail {

/// Opens `jsondir:DIR?lock=…&lock_timeout=…&waiting=…`. Errors: invalid_argument.
Result<std::shared_ptr<SessionStore>> open_json_directory_url(StoreUrl url, OpenOptions options);

/// make_json_directory_store on another file system. Logs up to `small_log_bytes` are not compacted; empty:
/// as always.
Result<std::shared_ptr<SessionStore>> make_json_directory_store_on(
    std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory, LockOptions lock,
    OpenOptions options, std::optional<std::uint64_t> small_log_bytes = std::nullopt);

}  // namespace sessile::detail
