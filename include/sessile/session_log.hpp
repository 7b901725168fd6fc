// One session as a plain JSONL file that grows by a line a turn, and that other programs can read and write.
#pragma once

#include <sessile/log_options.hpp>
#include <sessile/result.hpp>
#include <sessile/session.hpp>
#include <sessile/verify.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace sessile {

namespace detail {
class LogAccess;
}

/// Why a part of a log was left out.
enum class SkipReason {
  unreadable,  ///< no JSON: torn by a crash, damaged, or never any
  not_a_turn,  ///< JSON, but neither the header nor an object with `role` and `content`
  too_large,   ///< over LogOptions::limits
};

/// The reason's stable name, as the command prints it: "unreadable", "not_a_turn", "too_large".
std::string_view name(SkipReason reason) noexcept;

/// A part of a log that was left out: a line, or what is left of one after whole objects.
class SkippedPart {
 public:
  SkippedPart() noexcept {}
  std::uint64_t line = 0;    ///< counted from 1
  std::uint64_t offset = 0;  ///< in the file, in bytes
  std::uint64_t bytes = 0;
  SkipReason reason = SkipReason::unreadable;

  friend bool operator==(const SkippedPart&, const SkippedPart&) = default;
};

class LoadedLog {
 public:
  LoadedLog() {}
  json::object meta;                 ///< of the header; the first one, where there are several
  std::vector<Message> turns;        ///< in the order of the file; unknown fields in Message::extra
  std::vector<SkippedPart> skipped;  ///< the first kMostSkipped of them; blank lines are not counted
  std::uint64_t skipped_count = 0;   ///< of all of them

  static constexpr std::size_t kMostSkipped = 10'000;
};

/// A session's log. The first line is a header `{"meta":{…}}`, every other one a message's JSON object:
///
///   {"meta":{"model":"m"}}
///   {"role":"user","content":"Hello","timestamp":"2026-11-20T09:30:00.000000Z"}
///
/// The lines are plain JSON without checksums, since other programs read and write such files; so a flipped
/// bit inside a string goes unnoticed. Where that matters use a store (`jsondir:`).
///
/// Writers take an advisory lock on `FILE.lock`, which is never unlinked: several processes may append to one
/// log. Programs that do not take it must not write at the same time. The directory is made (0700) by the
/// first write, the file is 0600. A line that a crash left torn is ended with a newline, never continued and
/// never cut, before the next one is written.
///
/// Object lifetimes: operations outlive the handle. Executor: callable from any executor, resumes on the
/// caller's; files are touched on internal threads. Cancellation: any type; before the line is written
/// nothing happened (`cancelled`), afterwards the operation finishes. Errors beside those named:
/// invalid_argument, cancelled, timed_out, unavailable, io. Thread-safe.
class SessionLog {
 public:
  /// Does no I/O. `meta` goes into the header if this handle is the one that writes it.
  explicit SessionLog(std::filesystem::path file, json::object meta = json::object(),
                      LogOptions options = LogOptions());

  /// Makes the file with its header when it is missing or empty; else writes nothing. append does so by
  /// itself. Errors: too_large, locked, indeterminate.
  Async<void> start();

  /// Adds one turn as one line, after the header where the file is new or empty. A turn without a timestamp
  /// is given the present. As durable as LogOptions::durability says once acknowledged, with all lines before
  /// it; a crash loses at most the line being written. Errors: too_large, locked; indeterminate: a sync
  /// failed, or part of the line could not be taken back.
  Async<void> append(Message turn);

  /// Reads all of it, without a lock: a line that somebody is writing may be in LoadedLog::skipped. Errors:
  /// not_found; too_large when the file is larger than Limits::session_bytes.
  Async<LoadedLog> load();

  /// Reports the lines that cannot be read, and with VerifyOptions::repair takes them out: the whole file is
  /// copied to the directory `quarantine` beside it first. What is JSON but no turn, or over the limits,
  /// stays. A missing file is sound. Errors: as load's.
  Async<VerifyReport> verify(VerifyOptions options = VerifyOptions());

  const std::filesystem::path& file() const noexcept;

 private:
  class State;
  explicit SessionLog(std::shared_ptr<State> state) noexcept;
  friend class detail::LogAccess;
  std::shared_ptr<State> state_;
};

/// The logs of a directory: its regular files `*.jsonl` that are not hidden, sorted by the bytes of their
/// names. A directory that is missing has none. Executor and cancellation: as SessionLog. Errors:
/// unavailable, io.
Async<std::vector<std::filesystem::path>> list_session_logs(std::filesystem::path directory,
                                                            LogOptions options = LogOptions());

}  // namespace sessile
