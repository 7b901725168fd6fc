// The seam: every system call that touches storage, locks included, goes through these classes, so that a
// simulated file system can drop what was not synced, fail any call and cut the power at any point.
#pragma once

#include <sessile/lock_options.hpp>

#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sessile::storage {

/// When somebody began to wait. All processes of a machine read the same monotonic clock.
using Arrival = std::chrono::steady_clock::time_point;

/// What a system call returns: a value, or errno as an error_code of the system category.
template <class T>
using SysResult = boost::system::result<T>;

enum class FileKind { regular, directory, symlink, other };

/// What tells one file from every other on the machine.
class FileIdentity {
 public:
  FileIdentity() noexcept {}
  FileIdentity(std::uint64_t device_, std::uint64_t inode_) noexcept : device(device_), inode(inode_) {}
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) noexcept = default;
};

class FileInfo {
 public:
  FileInfo() noexcept {}
  FileKind kind = FileKind::other;
  std::uint64_t size = 0;
  FileIdentity identity;
  std::uint64_t links = 1;  ///< how many names a file has
  std::int64_t born = 0;    ///< when the file was made, in nanoseconds since 1970; 0: not known
  std::chrono::sys_time<std::chrono::microseconds> modified;
};

class DirectoryEntry {
 public:
  DirectoryEntry() {}
  DirectoryEntry(std::string name_, FileKind kind_) : name(std::move(name_)), kind(kind_) {}
  std::string name;
  FileKind kind = FileKind::other;
};

enum class OpenMode {
  read,              ///< must exist
  read_write,        ///< must exist
  create_exclusive,  ///< must not exist; read and write, mode 0600 whatever the umask
};

/// One open regular file. Not thread-safe. The destructor closes and drops the error; close() reports it.
class File {
 public:
  virtual ~File() = default;
  /// One call: may read or write less than asked, 0 at the end of the file; retried on EINTR only.
  virtual SysResult<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
  virtual SysResult<std::size_t> write_at(std::uint64_t offset, std::span<const char> from) = 0;
  virtual SysResult<FileInfo> info() = 0;
  /// As info(), but for `modified`, and perhaps as of the opening. Whoever asks a file for its times makes
  /// the next write set them more precisely, and the sync after it dearer.
  virtual SysResult<FileInfo> look() { return info(); }
  /// Data, and the metadata needed to read it back, to the device. After a failure nothing may be retried on
  /// this File.
  virtual SysResult<void> sync_data() = 0;
  virtual SysResult<void> truncate(std::uint64_t size) = 0;
  /// At most once.
  virtual SysResult<void> close() = 0;
};

/// An exclusive lock that is held; freed when this is destroyed, and by the kernel when the process dies.
class LockFile {
 public:
  virtual ~LockFile() = default;
};

/// A file that is being watched. Destroying it ends that; a call that is under way may still arrive.
class Watch {
 public:
  virtual ~Watch() = default;
};

/// Called on a thread of the pool; must not block.
using WatchCallback = std::function<void()>;

/// An open sidecar, and its lock once try_lock has succeeded. Destroying it frees the lock, then closes the
/// file, so that whoever is woken by the closing finds it free. Not thread-safe. Must not outlive its
/// Directory unless it is locked.
class Sidecar : public LockFile {
 public:
  /// Tries once, without waiting. EWOULDBLOCK: another owner has it, in this process or another. ESTALE: the
  /// name stands for another file by now, which has to be opened instead.
  virtual SysResult<void> try_lock() = 0;
  /// Frees the lock. Its file may stay open, when this is destroyed, for the directory's next open_sidecar:
  /// then no closing wakes those who wait, but Directory::ring_for_next, which is to follow. Precondition: it
  /// is locked, and its Directory is there still.
  virtual void let_go() noexcept {}
  /// The next try comes later, after a wait for something else. Then it answers ESTALE as after a failed one.
  virtual void wait_first() noexcept {}
  /// Calls `closed` when somebody may have let go of the lock: a descriptor of the file was closed, by its
  /// owner or by its owner's death. A failed try_lock does not count. Spurious calls happen, missing ones too
  /// (an owner that keeps its descriptor). ENOSYS, EMFILE, ENOSPC and others: there is no wake-up to be had.
  virtual SysResult<std::unique_ptr<Watch>> watch(WatchCallback closed) = 0;
};

/// A place in the line of those who wait for one sidecar, in all processes of the machine. Destroying it, or
/// the end of the process, gives it up.
class LinePlace {
 public:
  virtual ~LinePlace() = default;
  /// Who is first in the line, by a number of its own, when that is somebody who arrived before; 0: nobody
  /// before this place is left, or it cannot be told.
  virtual std::int64_t first_before() = 0;
  /// Calls `rung` when Directory::ring_for_next found this place to be the first. As with Sidecar::watch,
  /// spurious calls happen, and missing ones too (who was to ring has died).
  virtual SysResult<std::unique_ptr<Watch>> watch(WatchCallback rung) = 0;
};

/// The process that holds a lock, for messages.
class LockOwner {
 public:
  LockOwner() noexcept {}
  std::int64_t pid = 0;                                    ///< 0: nobody, or unknown
  std::chrono::sys_time<std::chrono::milliseconds> since;  ///< the epoch: unknown
};

/// One open directory. Names are single path components, never followed when they are symbolic links; opening
/// what is not a regular file (open_file) or not a directory (open_directory) is an error. Thread-safe: it
/// holds only a descriptor.
class Directory {
 public:
  virtual ~Directory() = default;
  virtual SysResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode) = 0;
  /// As open_file to read, but for one who must not wait for the device: whatever is not in the kernel's
  /// memory, now or at a later read_at, fails with EWOULDBLOCK. May fail with it always.
  virtual SysResult<std::unique_ptr<File>> open_cached(const std::string& name);
  virtual SysResult<std::shared_ptr<Directory>> open_directory(const std::string& name) = 0;
  /// Mode 0700 whatever the umask. EEXIST when it is there.
  virtual SysResult<void> make_directory(const std::string& name) = 0;
  virtual SysResult<FileInfo> info(const std::string& name) = 0;
  virtual SysResult<void> rename(const std::string& from, const std::string& to) = 0;
  virtual SysResult<void> remove(const std::string& name) = 0;
  /// All entries but `.` and `..`, in no order.
  virtual SysResult<std::vector<DirectoryEntry>> list() = 0;
  /// Makes creations, renames and removals in this directory durable.
  virtual SysResult<void> sync() = 0;
  /// Tries once, without waiting, to lock the sidecar `name`, made if missing (0600) and never unlinked.
  /// EWOULDBLOCK when another owner holds it, in this process or another; every other error is not
  /// contention.
  virtual SysResult<std::unique_ptr<LockFile>> try_lock(const std::string& name, LockPrimitive primitive) = 0;

  /// Opens the sidecar `name`, made if missing, without locking it. EWOULDBLOCK when this process has it open
  /// already.
  virtual SysResult<std::unique_ptr<Sidecar>> open_sidecar(const std::string& name, LockPrimitive primitive);
  /// Takes a place in the line for the sidecar `name`, in order of `arrival`. By default there is no line:
  /// ENOSYS.
  virtual SysResult<std::unique_ptr<LinePlace>> stand_in_line(const std::string& name, Arrival arrival);
  /// Whether anybody who arrived before `arrival` is in that line. False as well when it cannot be told: the
  /// line is a matter of fairness, never of safety.
  virtual bool anybody_in_line(const std::string& name, Arrival before) noexcept;
  /// Wakes who is first in that line, after the lock was let go, or a place in the line. Closes the sidecar
  /// when anybody is there and it is open but not locked.
  virtual void ring_for_next(const std::string& name) noexcept;

  /// The process that holds the sidecar's lock at this moment, as far as the kernel tells.
  virtual LockOwner lock_holder(const std::string& name) = 0;

  virtual FileIdentity identity() const noexcept = 0;
  /// True when the directory was deleted since it was opened. One that was moved away, or that its path does
  /// not lead to any more, was not: it has all that was written to it still. A file system in layers may not
  /// tell.
  virtual bool deleted() const noexcept { return false; }
  /// For messages only.
  virtual const std::filesystem::path& path() const noexcept = 0;
};

/// Where paths begin. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Opens a directory by its path, following symbolic links: it is the place the user named.
  virtual SysResult<std::shared_ptr<Directory>> open_directory(const std::filesystem::path& path) = 0;
};

/// The operating system's.
std::shared_ptr<FileSystem> real_file_system();

/// Opens `path`, making it and its missing parents (0700), and syncs its parent and that of every directory
/// made: its own even when it was there, since its maker may have been killed before that.
SysResult<std::shared_ptr<Directory>> open_or_make_directory(FileSystem& files,
                                                             const std::filesystem::path& path);

/// Opens the subdirectory, making it (0700) when missing, and syncs `parent` in either case, for the same
/// reason. That costs a sync each time: keep what is returned.
SysResult<std::shared_ptr<Directory>> open_or_make_directory(Directory& parent, const std::string& name);

}  // namespace sessile::storage
