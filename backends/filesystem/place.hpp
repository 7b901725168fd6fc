// The directory of a store: opened when it is first needed, and again when it was deleted and made anew.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/open.hpp>
#include <sessile/result.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace sessile::filesystem {

/// Thread-safe. All but opened() and opened_for_writing() may block.
class Place {
 public:
  Place(std::shared_ptr<storage::FileSystem> files, std::filesystem::path path, MissingPlace missing);

  /// The directory, if it was opened already: by anybody, or by a writer. Null else.
  std::shared_ptr<storage::Directory> opened() const;
  std::shared_ptr<storage::Directory> opened_for_writing() const;

  /// Opens the directory. Null when it does not exist yet and the store makes it on the first write. Errors:
  /// unavailable.
  Result<std::shared_ptr<storage::Directory>> open();
  /// The same for a writer: what leads to the directory is durable, and what dead writers left is noted. With
  /// `make` it is made when missing.
  Result<std::shared_ptr<storage::Directory>> open_for_writing(bool make);

  /// Lets `stale`, which a call has told to be deleted, go when the path leads to another directory by now,
  /// or to none. True when it did.
  bool let_go_if_replaced(const std::shared_ptr<storage::Directory>& stale);
  /// The same for one that nothing is known of. One that was moved away, or cannot be come to any more,
  /// stays: it has all that was acknowledged.
  bool let_go_if_deleted(const std::shared_ptr<storage::Directory>& stale);
  void close();

  /// Removes the temporary files that dead writers left for `name` before the directory was opened.
  /// Precondition: the caller holds the lock of `name`.
  void sweep(storage::Directory& directory, const std::string& name);

 private:
  Error unavailable(boost::system::error_code cause) const;
  void let_go(const std::shared_ptr<storage::Directory>& stale);
  void note_temporaries(storage::Directory& directory);

  const std::shared_ptr<storage::FileSystem> files_;
  const std::filesystem::path path_;
  const MissingPlace missing_;

  mutable std::mutex mutex_;
  // Protected by mutex_:
  std::shared_ptr<storage::Directory> directory_;
  bool for_writing_ = false;
  std::set<std::string> with_temporaries_;
};

}  // namespace sessile::filesystem
