// Wake-ups when a file is closed, by whatever process.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace sessile::storage {

/// The process's one inotify descriptor, waited for by the process-wide pool: no thread waits, however many
/// files are watched. Thread-safe.
class CloseWatcher {
 public:
  /// Never destroyed: watches may end while the program does.
  static CloseWatcher& instance();

  /// Calls `closed` whenever the file open as `file` is closed, by writers and by others (flock may be taken
  /// on a read-only descriptor), until the watch is destroyed. EMFILE and ENOSPC when the user's instances or
  /// watches are used up, ENOENT without /proc.
  SysResult<std::unique_ptr<Watch>> watch(int file, WatchCallback closed);

 private:
  class Registered;
  /// Shared, so that a callback under way survives the end of its watch.
  using Callbacks = std::map<std::uint64_t, std::shared_ptr<const WatchCallback>>;

  CloseWatcher();
  SysResult<void> open();
  void arm();
  void on_readable();
  void collect(int watch, std::vector<std::shared_ptr<const WatchCallback>>& woken);
  void remove(int watch, std::uint64_t id) noexcept;
  void drop(int watch, std::uint64_t id) noexcept;
  void end() noexcept;

  std::mutex mutex_;
  // All guarded by mutex_:
  std::optional<asio::posix::stream_descriptor> inotify_;
  std::map<int, Callbacks> watches_;  // by inotify's number for the file
  std::uint64_t next_id_ = 0;
  bool armed_ = false;
  bool ending_ = false;
};

}  // namespace sessile::storage
