// What was acknowledged without being synced, for flush to sync.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/options.hpp>
#include <sessile/result.hpp>

#include <mutex>
#include <set>
#include <string>

namespace sessile::filesystem {

/// Invariant: every file that was written with less than Durability::power and not synced since is in
/// `files_` or `failed_`, or `all_` is set. Thread-safe.
class Unsynced {
 public:
  /// Notes a write or a removal that is about to be acknowledged.
  void wrote(const std::string& file, Durability durability);
  void removed(const std::string& file, Durability durability);

  /// Syncs what was noted. Blocks. Errors: indeterminate, also ever after for a file whose sync failed until
  /// it is written anew: a second sync may say that all is well though the data is gone.
  /// Others as storage::system_error: nothing is lost, flush again.
  Result<void> sync(storage::Directory& directory);
  /// Syncs one file and its directory, noted or not: another process may have written it. Errors: as sync.
  Result<void> sync(storage::Directory& directory, const std::string& file);

 private:
  Result<void> sync_file(storage::Directory& directory, const std::string& file);
  Result<void> sync_directory(storage::Directory& directory);

  /// Beyond this many, every file of the directory is synced.
  static constexpr std::size_t kMost = 10000;

  mutable std::mutex mutex_;
  // Protected by mutex_:
  std::set<std::string> files_;
  std::set<std::string> failed_;
  bool all_ = false;
  bool directory_ = false;
  bool directory_failed_ = false;
};

}  // namespace sessile::filesystem
