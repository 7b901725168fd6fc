// What a check of everything stored finds, and what its repair did.
#pragma once

#include <sessile/options.hpp>
#include <sessile/result.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile {

/// What is wrong with a file.
enum class FindingKind {
  corrupt,        ///< what is stored cannot be read: damage
  wrong_type,     ///< a link, directory or device where a regular file belongs: damage
  unreadable,     ///< the operating system refuses to read it: damage
  missing_entry,  ///< a session that its agent's listing does not show: damage
  stale_summary,  ///< a summary that is not its session's: damage
  torn,           ///< the remains of a write that was interrupted, and never acknowledged
  leftover,       ///< a temporary file whose writer died
  unsynced,       ///< the sync of a file failed; the next write makes a new one
  stale_entry,    ///< an entry of a session that is gone or another agent's; readers overlook it
  newer_format,   ///< written by a newer version: not judged
  too_large,      ///< over the limits that this was opened with: not judged
  busy,           ///< others hold its lock and it looked wrong without: not judged
};

/// The kind's stable name, as the command prints it: "corrupt", "wrong_type" …
std::string_view name(FindingKind kind) noexcept;

/// True for what should never be: data lost, hidden or not to be had. False for what a crash leaves behind
/// and no reader minds, and for what was not judged.
bool is_damage(FindingKind kind) noexcept;

/// One thing that is not as it should be.
class Finding {
 public:
  Finding() {}
  Finding(FindingKind kind_, std::string path_) : kind(kind_), path(std::move(path_)) {}
  /// From what reading `path` answered.
  Finding(const Error& error, std::string path_);

  FindingKind kind = FindingKind::corrupt;
  std::string path;
  std::optional<std::uint64_t> offset;  ///< in bytes, of what cannot be read
  std::string key;                      ///< the session or document, where known
  std::string detail;                   ///< what is wrong
  bool repaired = false;                ///< by this run
  std::string quarantine;               ///< where the bytes are kept; empty: none were taken away
  std::optional<Error> failure;         ///< why the repair that was tried did not succeed

  /// What to do about it, for people.
  std::string remedy() const;
};

/// What a check found. A complete report without findings: everything is as it should be.
class VerifyReport {
 public:
  VerifyReport() {}
  std::uint64_t checked = 0;  ///< sessions, documents and logs that were read
  std::vector<Finding> findings;
  /// False: cancelled, out of time or failed, with repairs that were done before; they stay, and are among
  /// the findings. Without any such there is only the error.
  bool complete = true;

  /// All was looked at and no damage is left: there was none, or it was repaired.
  bool sound() const noexcept;
  void add(VerifyReport other);
};

/// Called on the caller's executor after each file. `total` 0: not known.
using VerifyProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

class VerifyOptions : public detail::CommonOptions<VerifyOptions> {
 public:
  VerifyOptions() {}
  /// Repairs what is found. Nothing is destroyed: bytes that cannot be read are first copied to a new entry
  /// of the directory `quarantine` (`.quarantine` beside documents), synced, with a file NAME.reason.json
  /// beside it, and only then taken out. What remains of a log up to the last valid record, or from the last
  /// snapshot on, stays. Removed without a copy are only temporary files of dead writers and entries of an
  /// index. Not touched, and found again: wrong_type, unreadable, newer_format, too_large.
  VerifyOptions& repair(bool value = true) noexcept { return repair_ = value, *this; }
  VerifyOptions& progress(VerifyProgress value) { return progress_ = std::move(value), *this; }

  bool repairs() const noexcept { return repair_; }
  const VerifyProgress& progress() const noexcept { return progress_; }

 private:
  bool repair_ = false;
  VerifyProgress progress_;
};

}  // namespace sessile
