// A whole file written so that every reader, and every reboot, sees the old or the new one.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"

#include <sessile/options.hpp>
#include <sessile/result.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sessile::storage {

/// Replaces, or makes, `name` in `directory` with `content`: a unique temporary file `NAME.tmp.PID.NONCE` in
/// the same directory (O_EXCL, 0600), written, synced, renamed over `name`, and the directory synced. With
/// Durability::process nothing is synced. The commit point is the rename: `gate` is asked right before it.
///
/// Errors: io, too_large (EFBIG), unavailable (ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EROFS: retry helps
/// once there is room; ENOENT, ESTALE: the directory is gone), cancelled: the old file is intact and no
/// temporary file is left. indeterminate: the new content is in place, but the directory's sync failed, so
/// that a loss of power may bring the old one back. No sync of a file is ever tried again: a second one may
/// succeed though the data is lost.
Result<void> replace_file(Directory& directory, const std::string& name, std::string_view content,
                          Durability durability, CommitGate& gate);

class NewFile;

/// The first half of replace_file, done: the new content in its temporary file, which is removed with this
/// unless it was put in place. Movable. The directory must outlive it.
class PreparedFile {
 public:
  PreparedFile(PreparedFile&&) noexcept;
  ~PreparedFile();

  /// The second half, at most once. Errors: as replace_file.
  Result<void> put_in_place(CommitGate& gate);

 private:
  friend Result<PreparedFile> prepare_file(Directory&, const std::string&, std::string_view, Durability,
                                           const CommitGate&);
  PreparedFile(Directory& directory, std::string name, Durability durability,
               std::unique_ptr<NewFile> temporary) noexcept;

  Directory* directory_;
  std::string name_;
  Durability durability_;
  std::unique_ptr<NewFile> temporary_;
};

/// Writes and syncs the temporary file for `name`, for whoever must not hold a lock meanwhile. Errors: as
/// replace_file.
Result<PreparedFile> prepare_file(Directory& directory, const std::string& name, std::string_view content,
                                  Durability durability, const CommitGate& gate);

/// True when `error` is what a directory that was opened and then deleted answers to whoever would make a
/// file in it, or lock it.
bool directory_is_gone(const Error& error) noexcept;

/// Reads all of `name` through one descriptor. Errors: not_found, too_large when it holds more than `limit`
/// bytes, io.
Result<std::string> read_file(Directory& directory, const std::string& name, std::uint64_t limit);

/// The same for a file already open; `directory` and `name` are for messages.
Result<std::string> read_file(File& file, const Directory& directory, std::string_view name,
                              std::uint64_t limit);

/// Reads the first `size` bytes, or fewer when the file ends before.
Result<std::string> read_head(Directory& directory, const std::string& name, std::uint64_t size);

Result<std::string> read_head(File& file, const Directory& directory, std::string_view name,
                              std::uint64_t size);

/// Unlinks `name`; with Durability::power syncs the directory. The commit point is the unlink. Errors:
/// not_found, cancelled, io; indeterminate when the directory's sync failed.
Result<void> remove_file(Directory& directory, const std::string& name, Durability durability,
                         CommitGate& gate);

/// True when `entry` is a temporary file that replace_file made for `name`.
bool is_temporary_of(std::string_view entry, std::string_view name) noexcept;

/// The file that `entry` is a temporary file of; empty when it is none.
std::optional<std::string> name_of_temporary(std::string_view entry);

/// Removes the temporary files that dead writers left for `name`. Precondition: the caller holds the lock of
/// `name`, so that no live writer has one; that of a PreparedFile made without the lock goes too, and cannot
/// be put in place any more.
void sweep_temporaries(Directory& directory, std::string_view name);

/// An Error for a failed system call on `name` in `directory`: not_found for ENOENT, else as replace_file.
Error system_error(boost::system::error_code cause, std::string_view what, const Directory& directory,
                   std::string_view name);

}  // namespace sessile::storage
