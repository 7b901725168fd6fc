// Which logs are compacted beside their writers, and for which that was in vain.
#pragma once

#include "storage/append_log.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace sessile::json_directory {

/// Of one log at most one compaction is under way in a process. Thread-safe.
class CompactionRegister {
 public:
  CompactionRegister() {}
  /// The one that all stores on the operating system's files share.
  static const std::shared_ptr<CompactionRegister>& of_the_process();

  /// False when one is under way, or was given up with the file that `mark` is of.
  bool begin(const storage::Directory& sessions, const std::string& log, const storage::LogMark& mark);
  /// What begin() began is over. Given up: it is not begun again with the file that `mark` is of.
  void end(const storage::Directory& sessions, const std::string& log, const storage::LogMark& mark,
           bool given_up) noexcept;

 private:
  using Key = std::pair<storage::FileIdentity, std::string>;
  class Entry {
   public:
    bool running = true;
    // Of the file with which it was given up:
    storage::FileIdentity identity;
    std::int64_t born = 0;
  };
  using Map = std::map<Key, Entry>;

  std::mutex mutex_;
  Map entries_;  // protected by mutex_
};

}  // namespace sessile::json_directory
