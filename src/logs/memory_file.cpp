#include "logs/memory_file.hpp"

#include "storage/log_replacement.hpp"
#include "storage/replace_file.hpp"

#include <sessile/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

namespace sessile::detail {

using storage::AppendLog;
using storage::CommitGate;
using storage::Directory;

namespace {

constexpr std::uint64_t kHolderBytes = 4096;

/// More than a log's padding and the frame of its last record.
constexpr std::uint64_t kPaddingBytes = storage::kMostPaddingBytes + 4096;

std::string host_name() {
  char text[HOST_NAME_MAX + 1] = {};
  return ::gethostname(text, sizeof(text) - 1) == 0 ? std::string(text) : std::string();
}

std::string describe_holder(TimePoint now) {
  json::object holder;
  holder["pid"] = static_cast<std::int64_t>(::getpid());
  // A host's name is bytes; only the UTF-8 ones can be in a JSON file.
  const std::string host = host_name();
  if (is_utf8(host)) holder["host"] = host;
  holder["since"] = format_time(now);
  std::string text;
  write_json(text, holder);
  return text + '\n';
}

/// What the holder wrote; empty fields where that cannot be read: it is for messages only.
LockHolder read_holder(Directory& directory, const LogPlace& place) {
  LockHolder holder;
  auto text = storage::read_file(directory, holder_file(place), kHolderBytes);
  if (!text) return holder;
  auto value = parse_json(*text, Origin::stored);
  if (!value || !value->is_object()) return holder;
  const json::object& fields = value->get_object();
  if (const json::value* pid = fields.if_contains("pid"); pid && pid->is_int64())
    holder.pid = pid->get_int64();
  if (const json::value* host = fields.if_contains("host"); host && host->is_string()) {
    holder.host = std::string(host->get_string());
  }
  if (const json::value* since = fields.if_contains("since"); since && since->is_string()) {
    holder.since = std::string(since->get_string());
  }
  return holder;
}

Error locked_error(Directory& directory, const LogPlace& place) {
  return Error(Errc::locked, "another handle has the memory open")
      .with_path(place.file.native())
      .with_holder(read_holder(directory, place));
}

}  // namespace

std::string holder_file(const LogPlace& place) {
  return place.name + ".holder";
}

std::uint64_t memory_bytes_limit(const Limits& limits) noexcept {
  return std::min(limits.session_bytes, UINT64_MAX - kPaddingBytes) + kPaddingBytes;
}

Limits memory_record_limits(Limits limits) noexcept {
  limits.depth = std::max<std::uint32_t>(limits.depth, 16);
  limits.session_bytes = memory_bytes_limit(limits);
  return limits;
}

MemoryFile::MemoryFile(const LogPlace& place, std::shared_ptr<Directory> directory,
                       std::unique_ptr<storage::LockFile> lock)
    : place_(place), directory_(std::move(directory)), lock_(std::move(lock)) {}

MemoryFile::~MemoryFile() {
  // Gone before the lock is: a note that outlives its holder would name the wrong one.
  if (auto removed = directory_->remove(holder_file(place_)); !removed) {
    return;  // it stays behind, and the next holder replaces it
  }
}

Result<std::unique_ptr<MemoryFile>> MemoryFile::open(const LogPlace& place) {
  auto directory = place.make_directory();
  if (!directory) return directory.error();
  auto lock = (*directory)->try_lock(place.sidecar, place.options.lock().primitive());
  if (!lock) {
    if (lock.error() == boost::system::errc::operation_would_block) return locked_error(**directory, place);
    return storage::system_error(lock.error(), "cannot lock the memory", **directory, place.sidecar);
  }
  std::unique_ptr<MemoryFile> file(new MemoryFile(place, *directory, std::move(*lock)));
  storage::sweep_temporaries(**directory, place.name);
  storage::sweep_temporaries(**directory, holder_file(place));
  file->note_holder();
  if (auto read = file->read(); !read) return read.error();
  return file;
}

void MemoryFile::note_holder() {
  CommitGate gate;
  const std::string text = describe_holder(place_.options.clock()->now());
  // A note that cannot be written keeps nobody from remembering.
  storage::replace_file(*directory_, holder_file(place_), text, Durability::process, gate).ignore();
}

Result<void> MemoryFile::read() {
  auto opened = AppendLog::open_to_write(*directory_, place_.name);
  if (!opened) {
    if (opened.error().code() != Errc::not_found) return opened.error();
    log_.reset();
    return success();
  }
  const Limits& limits = place_.options.limits();
  auto bytes = opened->read_all(memory_bytes_limit(limits));
  if (!bytes) return bytes.error();
  if (bytes->empty()) return log_.reset(), success();
  auto scan = storage::scan_log(*bytes);
  if (!scan) return scan.error().with_path(place_.file.native());
  auto content = replay(scan->records, memory_record_limits(limits));
  if (!content) return content.error().with_path(place_.file.native());
  // An id that was given out and may be lost is still not given out again.
  content->highest_id = std::max(content->highest_id, content_.highest_id);
  storage::LogTail tail;
  tail.offset = scan->records.back().offset;
  tail.seq = scan->records.back().seq;
  tail.end = scan->end;
  tail.size = bytes->size();
  tail.newline_missing = scan->newline_missing;
  tail.torn = scan->torn;
  content_ = std::move(*content);
  tail_ = std::move(tail);
  log_.emplace(std::move(*opened));
  must_read_ = false;
  return success();
}

Result<void> MemoryFile::prepare(CommitGate& gate) {
  if (must_read_) {
    if (auto again = read(); !again) return again;
  }
  if (log_) {
    // It may have been given a second name, as a backup is, since it was opened.
    if (auto looked = log_->size(); !looked) return looked.error();
  }
  if (!log_ || must_replace_ || log_->must_be_replaced()) return replace(gate);
  if (place_.options.durability() != Durability::power || name_durable_) return success();
  // Whoever wrote the last record may have been killed before it was synced, or not have asked for power. The
  // device could take the next one first, and leave a hole before it.
  if (auto synced = log_->sync(); !synced) {
    must_read_ = true;
    return synced;
  }
  if (auto synced = directory_->sync(); !synced) {
    must_replace_ = true;
    return storage::system_error(synced.error(), "cannot sync the directory", *directory_, place_.name);
  }
  name_durable_ = true;
  return success();
}

Result<void> MemoryFile::append(std::string_view members, CommitGate& gate) {
  if (auto ready = prepare(gate); !ready) return ready;
  if (tail_.end + members.size() > place_.options.limits().session_bytes) {
    return Error(Errc::too_large, "the memory would exceed its limit; forget and compact");
  }
  auto appended = log_->append(tail_, members, place_.options.durability(), gate);
  if (!appended && appended.error().code() == Errc::indeterminate) must_read_ = true;
  return appended;
}

Result<MemoryItem> MemoryFile::add(MemoryNote note, CommitGate& gate) {
  if (content_.highest_id >= kMaxMemoryId) {
    return Error(Errc::too_large, "the memory's last id is used");
  }
  MemoryItem item;
  item.id = content_.highest_id + 1;
  item.created_at = place_.options.clock()->now();
  item.note = std::move(note);
  auto appended = append(add_members(item), gate);
  if (appended) {
    content_.add(item);
    return item;
  }
  if (must_read_) content_.highest_id = item.id;
  return appended.error();
}

Result<bool> MemoryFile::forget(MemoryId id, CommitGate& gate) {
  if (must_read_) {
    if (auto again = read(); !again) return again.error();
  }
  if (!content_.items.contains(id)) return false;
  auto appended = append(forget_members(id, place_.options.clock()->now()), gate);
  if (!appended) return appended.error();
  content_.forget(id);
  return true;
}

Result<CompactReport> MemoryFile::compact(CommitGate& gate) {
  CompactReport report;
  if (must_read_) {
    if (auto again = read(); !again) return again.error();
  }
  if (!log_) return report;
  report.bytes_before = tail_.end;
  if (auto replaced = replace(gate); !replaced) return replaced.error();
  report.bytes_after = tail_.end;
  return report;
}

Result<void> MemoryFile::replace(CommitGate& gate) {
  // Synced even by one who promises less: what it replaces was durable, or may have been.
  const Durability durability = log_ ? Durability::power : place_.options.durability();
  auto replaced = storage::replace_log(*directory_, place_.name, tail_.seq + 1, snapshot_members(content_),
                                       durability, gate);
  if (!replaced && replaced.error().code() != Errc::indeterminate) return replaced;
  must_replace_ = !replaced;
  name_durable_ = replaced && durability == Durability::power;
  // The new file is in place either way: it is the one to go on with.
  const Result<void> reopened = read();
  if (!reopened) must_read_ = true;
  if (!replaced) return replaced;
  return reopened;
}

}  // namespace sessile::detail
