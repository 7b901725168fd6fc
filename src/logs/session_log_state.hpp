// A SessionLog from the inside.
#pragma once

#include "logs/log_place.hpp"

#include <sessile/session_log.hpp>

#include <mutex>

namespace sessile {

class SessionLog::State {
 public:
  State(std::shared_ptr<storage::FileSystem> files, std::filesystem::path file, json::object meta,
        LogOptions options);

  /// `line`: a turn's JSON, or empty for the header alone.
  static Async<void> append(std::shared_ptr<State> state, std::string line);
  static Async<LoadedLog> load(std::shared_ptr<State> state);

  // Constant after construction.
  const detail::LogPlace place;
  const json::object meta;

 private:
  Async<std::shared_ptr<storage::Directory>> directory();

  std::mutex mutex_;
  std::shared_ptr<storage::Directory> directory_;  // protected by mutex_; null before the first write
};

}  // namespace sessile
