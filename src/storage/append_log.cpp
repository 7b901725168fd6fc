#include "storage/append_log.hpp"

#include "storage/replace_file.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <span>
#include <utility>

namespace sessile::storage {

namespace {

constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t kMinChunkBytes = 4096;
constexpr std::uint64_t kMaxChunkBytes = 65536;
constexpr std::uint64_t kTailReadBytes = 4096;

std::uint64_t round_up_to_block(std::uint64_t size) {
  return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

/// The size of the file when a record that ends at `end` does not fit: a quarter more than there is, so that
/// a small log stays small and a large one is seldom extended.
std::uint64_t extended_size(std::uint64_t end) {
  return round_up_to_block(end + std::clamp(end / 4, kMinChunkBytes, kMaxChunkBytes));
}

constexpr std::string_view kPoisonMark = ".poisoned";

/// The poisoned logs of this process: for when the mark cannot be written either.
class Poisoned {
 public:
  using Key = std::pair<FileIdentity, std::string>;
  void add(Key key) {
    std::scoped_lock lock(mutex_);
    keys_.insert(std::move(key));
  }
  bool remove(const Key& key) {
    std::scoped_lock lock(mutex_);
    return keys_.erase(key) != 0;
  }
  bool contains(const Key& key) const {
    std::scoped_lock lock(mutex_);
    return keys_.contains(key);
  }

 private:
  mutable std::mutex mutex_;
  std::set<Key> keys_;  // protected by mutex_
};

Poisoned& poisoned() {
  static Poisoned instance;
  return instance;
}

bool is_poisoned(Directory& directory, const std::string& name) {
  if (poisoned().contains({directory.identity(), name})) return true;
  // Whatever keeps the mark from being seen must not let a poisoned log pass for a good one.
  auto mark = directory.info(poison_mark_of(name));
  return mark.has_value() || mark.error() != boost::system::errc::no_such_file_or_directory;
}

void clear_poison(Directory& directory, const std::string& name) {
  // A mark that stays behind costs one more replacement, no data.
  const bool known = poisoned().remove({directory.identity(), name});
  if (known || directory.info(poison_mark_of(name))) (void)directory.remove(poison_mark_of(name));
}

}  // namespace

std::string poison_mark_of(std::string_view name) {
  return std::string(name).append(kPoisonMark);
}

std::optional<std::string> name_of_poison_mark(std::string_view entry) {
  if (!entry.ends_with(kPoisonMark) || entry.size() == kPoisonMark.size()) return std::nullopt;
  return std::string(entry.substr(0, entry.size() - kPoisonMark.size()));
}

AppendLog::AppendLog(Directory& directory, std::string name, std::unique_ptr<File> file)
    : directory_(&directory), name_(std::move(name)), file_(std::move(file)) {}

Result<AppendLog> AppendLog::open(Directory& directory, std::string name, OpenMode mode) {
  auto file = directory.open_file(name, mode);
  if (!file) return system_error(file.error(), "cannot open the log", directory, name);
  return AppendLog(directory, std::move(name), std::move(*file));
}

Result<AppendLog> AppendLog::open_to_read(Directory& directory, std::string name) {
  return open(directory, std::move(name), OpenMode::read);
}

Result<AppendLog> AppendLog::open_to_write(Directory& directory, std::string name) {
  return open(directory, std::move(name), OpenMode::read_write);
}

Result<std::uint64_t> AppendLog::size() {
  auto info = file_->info();
  if (!info) return failed(info.error(), "cannot look at the log");
  shared_ = info->links > 1;
  return info->size;
}

Result<std::string> AppendLog::read_at(std::uint64_t offset, std::uint64_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    auto count = file_->read_at(offset + got, std::span(bytes).subspan(got));
    if (!count) return failed(count.error(), "cannot read the log").with_offset(offset + got);
    if (*count == 0) break;
    got += *count;
  }
  bytes.resize(got);
  return bytes;
}

Result<std::string> AppendLog::read_all(std::uint64_t limit) {
  auto bytes = size();
  if (!bytes) return bytes.error();
  if (*bytes > limit) {
    return Error(Errc::too_large, "the log is larger than what may be read")
        .with_path((directory_->path() / name_).native());
  }
  return read_at(0, *bytes);
}

Result<std::uint64_t> AppendLog::end_of_content(std::uint64_t size) {
  for (std::uint64_t end = size; end > 0;) {
    const std::uint64_t begin = end > kTailReadBytes ? end - kTailReadBytes : 0;
    auto block = read_at(begin, end - begin);
    if (!block) return block.error();
    const auto last = block->find_last_not_of('\n');
    if (last != std::string::npos) return begin + last + 1;
    end = begin;
  }
  return corrupt(size == 0 ? "the log is empty" : "the log holds no complete first record", 0);
}

Result<LogTail> AppendLog::tail(std::uint64_t limit) {
  return peek(limit, limit);
}

Result<LogTail> AppendLog::peek(std::uint64_t limit, std::uint64_t head_bytes) {
  auto bytes = size();
  if (!bytes) return bytes.error();
  auto content = end_of_content(*bytes);
  if (!content) return content.error();
  const std::uint64_t suffix = std::min<std::uint64_t>(*content, kRecordSuffixBytes);
  auto ending = read_at(*content - suffix, suffix);
  if (!ending) return ending.error();
  const auto length = claimed_length(*ending);
  if (!length || *length > *content) return tail_by_scan(limit);
  LogTail tail;
  tail.offset = *content - *length;
  tail.size = *bytes;
  tail.newline_missing = *content == *bytes;
  tail.end = *content + (tail.newline_missing ? 0 : 1);
  auto line = read_at(tail.offset, std::min(*length, head_bytes));
  if (!line) return line.error();
  if (*length > head_bytes) {
    if (*length > limit) return Error(Errc::too_large, "a record is larger than what may be read");
    tail.members = leading_members(*line);
    return tail;
  }
  const auto record = check_record(*line);
  if (!record) return tail_by_scan(limit);
  tail.seq = record->seq;
  tail.members = record->members;
  return tail;
}

Result<LogTail> AppendLog::tail_by_scan(std::uint64_t limit) {
  auto bytes = read_all(limit);
  if (!bytes) return bytes.error();
  auto scan = scan_log(*bytes);
  if (!scan) return scan.error().with_path((directory_->path() / name_).native());
  LogTail tail;
  tail.offset = scan->records.back().offset;
  tail.seq = scan->records.back().seq;
  tail.members = scan->records.back().members;
  tail.end = scan->end;
  tail.size = bytes->size();
  tail.newline_missing = scan->newline_missing;
  tail.torn = scan->torn;
  return tail;
}

Result<void> AppendLog::append(LogTail& tail, std::string_view members, Durability durability,
                               CommitGate& gate) {
  if (tail.torn) {
    if (auto cut = file_->truncate(tail.end); !cut) return failed(cut.error(), "cannot cut a torn record");
    tail.size = tail.end;
    tail.torn = false;
  }
  std::string record = frame_record(tail.seq + 1, members);
  if (tail.newline_missing) record.insert(record.begin(), '\n');
  const std::uint64_t end = tail.end + record.size();
  const std::uint64_t new_size = end > tail.size ? extended_size(end) : tail.size;
  const std::string padding(end > tail.size ? new_size - end : 0, '\n');
  if (!gate.try_commit()) return Error(Errc::cancelled);
  if (auto written = write_record(tail.end, record, padding); !written) return written;
  if (durability == Durability::power) {
    if (auto synced = sync(); !synced) return synced;
  }
  tail.offset = tail.end + (tail.newline_missing ? 1 : 0);
  tail.end = end;
  tail.size = new_size;
  tail.newline_missing = false;
  ++tail.seq;
  tail.members = members;
  return success();
}

Result<void> AppendLog::write_record(std::uint64_t end, std::string_view record, std::string_view padding) {
  // One write where possible: the padding goes out with the record that needed the room.
  std::string joined;
  if (!padding.empty()) joined.append(record).append(padding);
  const std::string_view all = padding.empty() ? record : std::string_view(joined);
  std::size_t done = 0;
  boost::system::error_code cause;
  while (done < all.size() && !cause) {
    auto count = file_->write_at(end + done, std::span(all).subspan(done));
    if (count && *count > 0) {
      done += *count;
    } else {
      cause = count ? make_error_code(boost::system::errc::no_space_on_device) : count.error();
    }
  }
  if (!cause) return success();
  // What was written is taken back, part of the padding too: no reader may find a record that was reported
  // as not written, and the next append must find newlines, or the end of the file, where it writes.
  if (auto cut = file_->truncate(end); !cut) return poison(cut.error(), "a partial record cannot be cut");
  return failed(cause, "cannot append to the log");
}

Result<void> AppendLog::sync() {
  auto synced = file_->sync_data();
  if (!synced) return poison(synced.error(), "the sync of the log failed: what it holds may be lost");
  return success();
}

bool AppendLog::must_be_replaced() const {
  return shared_ || sync_failed();
}

bool AppendLog::sync_failed() const {
  return is_poisoned(*directory_, name_);
}

Error AppendLog::failed(boost::system::error_code cause, std::string_view what) const {
  return system_error(cause, what, *directory_, name_);
}

Error AppendLog::corrupt(std::string_view detail, std::uint64_t offset) const {
  return Error(Errc::corrupt, detail).with_path((directory_->path() / name_).native()).with_offset(offset);
}

Error AppendLog::poison(boost::system::error_code cause, std::string_view what) const {
  poisoned().add({directory_->identity(), name_});
  (void)directory_->open_file(poison_mark_of(name_), OpenMode::create_exclusive);
  return Error(Errc::indeterminate, what).with_path((directory_->path() / name_).native()).with_cause(cause);
}

Result<void> replace_log(Directory& directory, const std::string& name, std::uint64_t seq,
                         std::string_view members, Durability durability, CommitGate& gate) {
  std::string content = frame_record(seq, members);
  content.resize(round_up_to_block(content.size()), '\n');
  auto replaced = replace_file(directory, name, content, durability, gate);
  // indeterminate: the new file is in place, and it was synced.
  if (replaced || replaced.error().code() == Errc::indeterminate) clear_poison(directory, name);
  return replaced;
}

Result<void> remove_log(Directory& directory, const std::string& name, Durability durability,
                        CommitGate& gate) {
  auto removed = remove_file(directory, name, durability, gate);
  if (removed || removed.error().code() == Errc::indeterminate) clear_poison(directory, name);
  return removed;
}

Result<void> cut_log(Directory& directory, const std::string& name, std::uint64_t end) {
  auto log = directory.open_file(name, OpenMode::read_write);
  if (!log) return system_error(log.error(), "cannot open the log", directory, name);
  auto done = (*log)->truncate(end);
  if (done) done = (*log)->sync_data();
  if (done) return success();
  return system_error(done.error(), "cannot cut the log", directory, name);
}

}  // namespace sessile::storage
