// A log written anew, or removed.
#pragma once

#include "storage/append_log.hpp"
#include "storage/replace_file.hpp"

#include <string>
#include <string_view>

namespace sessile::storage {

/// Makes or replaces the log with one whose only record has number `seq`; as replace_file, whose errors these
/// are. With Durability::process neither the file nor the directory is synced. Precondition: as
/// open_to_write. A log that is not poisoned any more is unmarked.
Result<void> replace_log(Directory& directory, const std::string& name, std::uint64_t seq,
                         std::string_view members, Durability durability, CommitGate& gate);
/// The same, padded to `room` bytes where that is more; returns the new log's tail.
Result<LogTail> renew_log(Directory& directory, const std::string& name, std::uint64_t seq,
                          std::string_view members, std::uint64_t room, Durability durability,
                          CommitGate& gate);

/// The first half of renew_log, done: a new log beside the old one. As PreparedFile.
class PreparedLog {
 public:
  /// The second half, at most once; returns the new log's tail. Precondition: as open_to_write.
  Result<LogTail> put_in_place(CommitGate& gate);
  /// Of the record, its newline included.
  std::uint32_t checksum() const noexcept { return checksum_; }

 private:
  friend Result<PreparedLog> prepare_log(Directory&, const std::string&, std::uint64_t, std::string_view,
                                         std::uint64_t, Durability, const CommitGate&);
  PreparedLog(Directory& directory, std::string name, LogTail tail, std::uint32_t checksum,
              PreparedFile file);

  Directory* directory_;
  std::string name_;
  LogTail tail_;
  std::uint32_t checksum_;
  PreparedFile file_;
};

/// Precondition: none of locks; what is prepared is to be put in place only where the log is still the same.
Result<PreparedLog> prepare_log(Directory& directory, const std::string& name, std::uint64_t seq,
                                std::string_view members, std::uint64_t room, Durability durability,
                                const CommitGate& gate);

/// Cuts the log at `end`, behind its last whole record, and syncs it; one that has other names as well (a
/// backup made of hard links) is replaced by a file of its own. A sync that fails poisons the log.
/// Precondition: as open_to_write. Errors: io, unavailable.
Result<void> cut_log(Directory& directory, const std::string& name, std::uint64_t end);

/// Unlinks the log, as remove_file does, and its mark. Precondition: as open_to_write.
Result<void> remove_log(Directory& directory, const std::string& name, Durability durability,
                        CommitGate& gate);

}  // namespace sessile::storage
