// What was acknowledged without being synced, for flush to sync.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/options.hpp>
#include <sessile/result.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace sessile::filesystem {

/// Invariant: every file that was written with less than Durability::power and not synced since is in
/// `files_` or `failed_`, or `all_` is not 0. Thread-safe.
class Unsynced {
 public:
  /// Notes a write of a new file that is about to be acknowledged, or a removal: a failed sync of the old one
  /// is not remembered any more, here or by a mark for other processes. `marked`: there was such a mark
  /// before the new file was put in place. Precondition: the lock of `file` is held.
  void wrote(storage::Directory& directory, const std::string& file, bool marked, Durability durability);
  void removed(storage::Directory& directory, const std::string& file, Durability durability);
  /// Notes what is about to be acknowledged as it is there already: another process may have written it, and
  /// promised no more.
  void found(const std::string& file);

  /// Syncs what was noted. Blocks. Errors: indeterminate, also ever after for a file whose sync failed, here
  /// or in another process (storage/poison_mark.hpp), until it is written anew: a second sync may say that
  /// all is well though the data is gone. That of the directory is tried again: what it is to cover stays in
  /// the file system's journal, or ends all writing there. Others as storage::system_error: nothing is lost,
  /// flush again.
  Result<void> sync(storage::Directory& directory);
  /// Syncs one file and its directory, noted or not: another process may have written it. Errors: as sync.
  Result<void> sync(storage::Directory& directory, const std::string& file);

 private:
  /// What a flush has to sync.
  class Noted {
   public:
    std::set<std::string> files;
    std::uint64_t write = 0;  // the last one that is in it
    bool all = false;
    bool directory = false;
  };
  Noted noted();
  /// All of it is durable; what was written since is not taken off.
  void synced(const Noted& noted);

  Result<void> sync_file(storage::Directory& directory, const std::string& file);
  Result<void> sync_directory(storage::Directory& directory);
  void failed(const std::string& file);
  /// Precondition: mutex_ is held.
  void note(const std::string& file);

  /// Beyond this many, every file of the directory is synced.
  static constexpr std::size_t kMost = 10000;

  mutable std::mutex mutex_;
  // Protected by mutex_:
  // Each with the number of its last such write; 0: none. They stay until they are synced, so that a flush
  // beside another one does not say so before it is true.
  std::map<std::string, std::uint64_t> files_;
  std::uint64_t all_ = 0;
  std::uint64_t directory_ = 0;
  std::uint64_t writes_ = 0;
  std::set<std::string> failed_;
  bool directory_failed_ = false;
};

}  // namespace sessile::filesystem
