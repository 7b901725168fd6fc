// A file system in memory, behind the same seam as the operating system's.
#pragma once

#include "disk.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace sessile::crash {

/// One call through the seam.
class SeamCall {
 public:
  std::string kind;  ///< "open", "create", "open_directory", "make_directory", "info", "file_info", "read",
                     ///< "write", "truncate", "sync", "close", "rename", "remove", "list",
                     ///< "sync_directory", "lock"
  std::string name;  ///< of the file or directory that it is about
};

/// A running machine on a disk: open files, locks, and what a test wants to happen. Used by one thread, and
/// outlives everything that was opened on it. Its files are those of no other machine.
class Machine {
 public:
  explicit Machine(Disk disk);

  /// Called before each call; not 0: it is not made, and fails with this errno.
  std::function<int(const SeamCall&)> before;
  /// A write takes at most this many bytes.
  std::size_t longest_write = SIZE_MAX;

  const Disk& disk() const noexcept { return disk_; }
  /// All changes since the machine was started, or `take_trace`.
  const std::vector<Change>& trace() const noexcept { return trace_; }
  std::vector<Change> take_trace() { return std::move(trace_); }
  std::size_t open_files() const noexcept { return open_files_; }
  std::size_t open_directories() const noexcept { return open_directories_; }
  std::size_t held_locks() const noexcept { return locks_.size(); }

  /// The file system of this machine. The paths of its files begin at the root of the disk.
  std::shared_ptr<storage::FileSystem> files();

 private:
  friend class SimulatedFile;
  friend class SimulatedDirectory;
  friend class SimulatedLock;
  friend class SimulatedFileSystem;

  boost::system::error_code enter(const char* kind, const std::string& name);
  void change(Change change);
  InodeId new_inode() const noexcept { return disk_.next_inode(); }

  Disk disk_;
  std::vector<Change> trace_;
  const std::uint64_t device_;
  std::set<InodeId> locks_;
  std::size_t open_files_ = 0;
  std::size_t open_directories_ = 0;
};

}  // namespace sessile::crash
