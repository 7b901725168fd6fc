#include "storage/log_replacement.hpp"

#include "storage/poison_mark.hpp"

#include <algorithm>
#include <utility>

namespace sessile::storage {

PreparedLog::PreparedLog(Directory& directory, std::string name, LogTail tail, std::uint32_t checksum,
                         PreparedFile file)
    : directory_(&directory),
      name_(std::move(name)),
      tail_(std::move(tail)),
      checksum_(checksum),
      file_(std::move(file)) {}

Result<PreparedLog> prepare_log(Directory& directory, const std::string& name, std::uint64_t seq,
                                std::string_view members, std::uint64_t room, Durability durability,
                                const CommitGate& gate) {
  std::string content = frame_record(seq, members);
  LogTail tail;
  tail.seq = seq;
  tail.end = content.size();
  tail.ending = checksum_of_ending(content);
  const std::uint32_t sum = checksum(content);
  content.resize(round_up_to_block(std::max<std::uint64_t>(content.size(), room)), '\n');
  tail.size = content.size();
  auto file = prepare_file(directory, name, content, durability, gate);
  if (!file) return file.error();
  return PreparedLog(directory, name, std::move(tail), sum, std::move(*file));
}

Result<LogTail> PreparedLog::put_in_place(CommitGate& gate) {
  auto replaced = file_.put_in_place(gate);
  // indeterminate: the new file is in place, and it was synced.
  if (replaced || replaced.error().code() == Errc::indeterminate) clear_poison(*directory_, name_);
  if (!replaced) return replaced.error();
  return std::move(tail_);
}

Result<LogTail> renew_log(Directory& directory, const std::string& name, std::uint64_t seq,
                          std::string_view members, std::uint64_t room, Durability durability,
                          CommitGate& gate) {
  auto prepared = prepare_log(directory, name, seq, members, room, durability, gate);
  if (!prepared) return prepared.error();
  return prepared->put_in_place(gate);
}

Result<void> replace_log(Directory& directory, const std::string& name, std::uint64_t seq,
                         std::string_view members, Durability durability, CommitGate& gate) {
  auto renewed = renew_log(directory, name, seq, members, 0, durability, gate);
  if (!renewed) return renewed.error();
  return success();
}

Result<void> remove_log(Directory& directory, const std::string& name, Durability durability,
                        CommitGate& gate) {
  auto removed = remove_file(directory, name, durability, gate);
  if (removed || removed.error().code() == Errc::indeterminate) clear_poison(directory, name);
  return removed;
}

namespace {

/// The log has other names, whose content must stay as it is: what is kept goes into a file of its own.
Result<void> cut_copy(Directory& directory, const std::string& name, std::uint64_t size, std::uint64_t end) {
  auto bytes = read_file(directory, name, size);
  if (!bytes) return bytes.error();
  CommitGate gate;
  return replace_file(directory, name, std::string_view(*bytes).substr(0, end), Durability::power, gate);
}

}  // namespace

Result<void> cut_log(Directory& directory, const std::string& name, std::uint64_t end) {
  auto log = directory.open_file(name, OpenMode::read_write);
  if (!log) return system_error(log.error(), "cannot open the log", directory, name);
  auto info = (*log)->info();
  if (!info) return system_error(info.error(), "cannot look at the log", directory, name);
  if (info->links > 1) return cut_copy(directory, name, info->size, end);
  if (auto cut = (*log)->truncate(end); !cut)
    return system_error(cut.error(), "cannot cut the log", directory, name);
  if (auto synced = (*log)->sync_data(); !synced) {
    // What was written before, and not synced, may be lost with it.
    mark_poisoned(directory, name);
    return system_error(synced.error(), "cannot sync the log that was cut", directory, name);
  }
  return success();
}

}  // namespace sessile::storage
