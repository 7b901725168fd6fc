// One session's file: its name, and what is read from it. All functions block.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/backend.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sessile::filesystem {

inline constexpr std::string_view kExtension = ".json";

std::string sidecar_of(std::string_view file);

/// The file that this library makes for `id`.
std::string own_file(const SessionId& id);

/// True when another program may have filed `id` under a name that we would not choose.
bool may_have_foreign_file(const SessionId& id);

/// The file that holds `id`, or will hold it: own_file, or, when that is not there, one that another program
/// named after the id itself and that holds it.
std::string file_of(storage::Directory& directory, const SessionId& id, const Limits& limits);

/// Reads `file` through one descriptor. Errors: not_found; corrupt when it cannot be read or holds another id
/// than `id`; unsupported; too_large; io. Each has path().
///
/// A document without a time of its last change takes that of its file.
Result<StoredSession> read_session(storage::Directory& directory, const std::string& file,
                                   const SessionId& id, const Limits& limits);

/// The same where that takes neither waiting for the device nor long work: else null, and whoever may block
/// asks read_session, also for what went wrong.
SessionPtr read_session_at_once(storage::Directory& directory, const std::string& file, const SessionId& id,
                                const Limits& limits);

/// What a write that replaces a session needs of the old one.
class StoredHead {
 public:
  StoredHead() {}
  StoredState state;
  AppendMemory appends;
};

/// Reads that from the two ends of `file` where it is of our form, and else from all of it. Empty when there
/// is no such file. Errors: as read_session; of what lies between the ends nothing is said.
Result<std::optional<StoredHead>> read_stored_head(storage::Directory& directory, const std::string& file,
                                                   const SessionId& id, const Limits& limits);

/// Reads the summary of `file`, only the file's head where that has it. Empty when there is no such file, or
/// another one stands for the same id. Errors: as read_session.
Result<std::optional<SessionSummary>> read_summary(storage::Directory& directory, const std::string& file,
                                                   const Limits& limits);

/// The largest file that is read under `limits`.
std::uint64_t longest_file(const Limits& limits);

/// The key that `file` seems to stand for: for messages.
std::string key_of(std::string_view file);

}  // namespace sessile::filesystem
