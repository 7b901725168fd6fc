// A SessionLog from the inside.
#pragma once

#include "logs/json_lines.hpp"
#include "logs/log_place.hpp"

#include <sessile/session_log.hpp>

#include <mutex>

namespace sessile {

namespace detail {
/// Sorts the values of a log into the header and turns; `skip` is called with what is neither.
LoadedLog read_log(std::string_view text, const Limits& limits, const VisitSkipped& skip);
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
  using DirectoryPtr = std::shared_ptr<storage::Directory>;

  /// Opens the directory, made when missing, and keeps it.
  Async<DirectoryPtr> directory_to_write();
  /// The directory that is written to, or the one that is there. Blocks.
  Result<DirectoryPtr> directory_to_read();
  DirectoryPtr kept();
  void let_go(const DirectoryPtr& directory);
  /// True when `directory`, kept or not, was deleted, so that another one may be there now. Blocks.
  bool let_go_if_deleted(const DirectoryPtr& directory);

  std::mutex mutex_;
  DirectoryPtr directory_;  // protected by mutex_; null before the first write
};

}  // namespace sessile
