// The records of a memory's file, and what they add up to.
#pragma once

#include "storage/log_record.hpp"

#include <sessile/memory_log.hpp>

#include <map>
#include <string>

namespace sessile::detail {

// Members of a record (storage/log_record.hpp gives the frame):
//   "memory":{"format":1,"highest_id":N,"items":[ITEM…]}   all that is remembered: the first record
//   "add":ITEM                                             ITEM: id, kind, content, created_at, tags?,
//   source? "forget":N,"at":TIME                                   a tombstone
// docs/formats.md has them for readers in other languages.

/// The largest id: what every JSON reader holds exactly.
inline constexpr MemoryId kMaxMemoryId = (MemoryId{1} << 53) - 1;

/// What a memory's records add up to.
class MemoryContent {
 public:
  MemoryContent() {}
  std::map<MemoryId, MemoryItem> items;  ///< without what was forgotten
  MemoryId highest_id = 0;               ///< the highest ever used, by what was forgotten too

  void add(MemoryItem item);
  void forget(MemoryId id);
};

std::string snapshot_members(const MemoryContent& content);
std::string add_members(const MemoryItem& item);
std::string forget_members(MemoryId id, TimePoint at);

/// Applies one record, as replay does.
Result<void> apply_record(MemoryContent& content, const storage::LogRecord& record, const Limits& limits);

/// Applies the records in their order. An item without a usable id, or of a shape we don't know, is passed
/// over, and so is a record that is neither of ours: a tombstone without a target does no harm. Errors:
/// corrupt, with offset(); unsupported for a newer format.
Result<MemoryContent> replay(const std::vector<storage::LogRecord>& records, const Limits& limits);

}  // namespace sessile::detail
