#pragma once

#include "compaction_settings.hpp"
#include "storage/file_system.hpp"

#include <sessile/lock_options.hpp>
#include <sessile/open.hpp>

#include <filesystem>
#include <memory>

namespace sessile::detail {

/// Opens `jsondir:DIR?lock=…&lock_timeout=…&waiting=…`. Errors: invalid_argument.
Result<std::shared_ptr<SessionStore>> open_json_directory_url(StoreUrl url, OpenOptions options);

/// make_json_directory_store on another file system.
Result<std::shared_ptr<SessionStore>> make_json_directory_store_on(
    std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory, LockOptions lock,
    OpenOptions options,
    json_directory::CompactionSettings compaction = json_directory::CompactionSettings());

}  // namespace sessile::detail
