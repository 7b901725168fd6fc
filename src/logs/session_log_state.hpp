// A SessionLog from the inside.
#pragma once

#include "logs/log_place.hpp"

#include <sessile/session_log.hpp>

#include <mutex>

namespace sessile {

namespace detail {
/// Sorts the values of a log into the header, turns, and what is neither.
LoadedLog read_log(std::string_view text, const Limits& limits);
}  // namespace detail

class SessionLog::State {
 public:
  State(std::shared_ptr<storage::FileSystem> files, std::filesystem::path file, json::object meta,
        LogOptions options);

  /// `line`: a turn's JSON, or empty for the header alone.
  static Async<void> append(std::shared_ptr<State> state, std::string line);
  static Async<LoadedLog> load(std::shared_ptr<State> state);
  static Async<VerifyReport> verify(std::shared_ptr<State> state, VerifyOptions options);

  // Constant after construction.
  const detail::LogPlace place;
  const json::object meta;

 private:
  Async<std::shared_ptr<storage::Directory>> directory();

  std::mutex mutex_;
  std::shared_ptr<storage::Directory> directory_;  // protected by mutex_; null before the first write
};

}  // namespace sessile
