#include "storage/append_log.hpp"

#include "storage/poison_mark.hpp"
#include "storage/replace_file.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace sessile::storage {

namespace {

constexpr std::uint64_t kMinChunkBytes = 4096;
constexpr std::uint64_t kMaxChunkBytes = 65536;
constexpr std::uint64_t kRoomForRecords = 3;
constexpr std::uint64_t kMostRoomBytes = std::uint64_t{1} << 20;
static_assert(std::max(kMostRoomBytes, kMaxChunkBytes) + kBlockBytes <= kMostPaddingBytes);
/// The padding is seldom longer than the first of these; a larger block is for the log where it is.
constexpr std::uint64_t kTailReadBytes = 4096;
constexpr std::uint64_t kPaddingReadBytes = 65536;
/// Of a record, this much of its end and its beginning is remembered: the beginning holds its checksum.
constexpr std::uint64_t kEndingBytes = 4096;
constexpr std::uint64_t kBeginningBytes = 64;

/// The size of the file when a record of `bytes` that ends at `end` does not fit: room for as much as there
/// is, within bounds, and for a few more records of that size. So a small log stays small, and few appends
/// change the file's size, which their sync would have to write as well.
std::uint64_t extended_size(std::uint64_t end, std::uint64_t bytes) {
  const std::uint64_t room = std::clamp(end, kMinChunkBytes, kMaxChunkBytes);
  return round_up_to_block(end + std::max(room, std::min(kRoomForRecords * bytes, kMostRoomBytes)));
}

/// The length of `text` without the newlines at its end.
std::size_t without_padding(std::string_view text) {
  static constexpr auto kNewlines = [] {
    std::array<char, 512> all{};
    all.fill('\n');
    return all;
  }();
  constexpr std::string_view newlines(kNewlines.data(), kNewlines.size());
  std::size_t size = text.size();
  while (size >= newlines.size() && text.compare(size - newlines.size(), newlines.size(), newlines) == 0) {
    size -= newlines.size();
  }
  return text.substr(0, size).find_last_not_of('\n') + 1;
}

/// `bytes`: the end of the last record, `size` of them, and the byte after it, which is padding or not there.
std::uint32_t checksum_of_ending(std::string bytes, std::uint64_t size, std::string_view beginning) {
  bytes.resize(size + 1, '\n');
  return checksum(bytes.append(beginning));
}

}  // namespace

std::uint32_t checksum_of_ending(std::string_view line) {
  const std::size_t size = std::min<std::size_t>(line.size(), kEndingBytes);
  const bool whole = size == line.size();
  return checksum_of_ending(std::string(line.substr(line.size() - size)), size,
                            whole ? std::string_view() : line.substr(0, kBeginningBytes));
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

Result<AppendLog> AppendLog::open_cached(Directory& directory, std::string name) {
  auto file = directory.open_cached(name);
  if (!file) return system_error(file.error(), "cannot open the log", directory, name);
  return AppendLog(directory, std::move(name), std::move(*file));
}

Result<AppendLog> AppendLog::open_to_write(Directory& directory, std::string name) {
  return open(directory, std::move(name), OpenMode::read_write);
}

Result<std::uint64_t> AppendLog::size() {
  auto info = look();
  if (!info) return info.error();
  return info->size;
}

Result<FileInfo> AppendLog::look() {
  auto info = file_->look();
  if (!info) return failed(info.error(), "cannot look at the log");
  info_ = *info;
  return info_;
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
  std::uint64_t bytes = kTailReadBytes;
  for (std::uint64_t end = size; end > 0;) {
    const std::uint64_t begin = end > bytes ? end - bytes : 0;
    auto block = read_at(begin, end - begin);
    if (!block) return block.error();
    if (const std::size_t content = without_padding(*block); content > 0) return begin + content;
    end = begin;
    bytes = kPaddingReadBytes;
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
    tail.members = leading_members(*line);
    tail.seq = leading_number(*line);
    // What claims that length is part of a torn record, or its beginning was lost.
    if (tail.members.empty() || tail.seq == 0) return tail_by_scan(limit);
    if (*length > limit) return Error(Errc::too_large, "a record is larger than what may be read");
    tail.checked = false;
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

Result<std::uint32_t> AppendLog::ending(const LogTail& tail) {
  const std::uint64_t begin = std::max(tail.offset, tail.end - std::min(tail.end, kEndingBytes));
  // One byte more: there begins the record that another writer appended.
  auto bytes = read_at(begin, tail.end - begin + 1);
  if (!bytes) return bytes.error();
  std::string beginning;
  if (begin > tail.offset) {
    auto read = read_at(tail.offset, kBeginningBytes);
    if (!read) return read.error();
    beginning = std::move(*read);
  }
  return checksum_of_ending(std::move(*bytes), tail.end - begin, beginning);
}

Result<LogMark> AppendLog::mark(const LogTail& tail) {
  auto seen = tail.ending ? Result<std::uint32_t>(*tail.ending) : ending(tail);
  if (!seen) return seen.error();
  if (info_.identity.inode == 0) {
    if (auto looked = look(); !looked) return looked.error();
  }
  LogMark mark;
  mark.identity = info_.identity;
  mark.born = info_.born;
  mark.offset = tail.offset;
  mark.seq = tail.seq;
  mark.end = tail.end;
  mark.size = tail.size;
  mark.ending = *seen;
  return mark;
}

Result<std::optional<LogTail>> AppendLog::recognise(const LogMark& mark) {
  auto info = look();
  if (!info) return info.error();
  if (info->identity != mark.identity || info->born != mark.born || info->size != mark.size) {
    return std::optional<LogTail>();
  }
  LogTail tail;
  tail.offset = mark.offset;
  tail.seq = mark.seq;
  tail.end = mark.end;
  tail.size = mark.size;
  auto seen = ending(tail);
  if (!seen) return seen.error();
  if (*seen != mark.ending) return std::optional<LogTail>();
  tail.ending = mark.ending;
  return std::optional<LogTail>(std::move(tail));
}

Result<bool> AppendLog::holds(FileIdentity identity, std::int64_t born, std::uint64_t from, std::uint64_t end,
                              std::uint32_t sum) {
  auto info = look();
  if (!info) return info.error();
  if (info->identity != identity || info->born != born || info->size < end) return false;
  // One byte more, as in ending().
  auto bytes = read_at(from, end - from + 1);
  if (!bytes) return bytes.error();
  const std::string_view all(*bytes);
  const std::uint64_t size = end - from;
  return all.size() >= size && all.substr(size).find_first_not_of('\n') == std::string_view::npos &&
         checksum(all.substr(0, size)) == sum;
}

Result<void> AppendLog::append(LogTail& tail, std::string_view members, Durability durability,
                               CommitGate& gate) {
  if (tail.torn) {
    if (auto cut = cut_torn(tail); !cut) return cut;
  }
  std::string record = frame_record(tail.seq + 1, members);
  if (tail.newline_missing) record.insert(record.begin(), '\n');
  const std::uint64_t end = tail.end + record.size();
  const std::uint64_t new_size = end > tail.size ? extended_size(end, record.size()) : tail.size;
  const std::string padding(end > tail.size ? new_size - end : 0, '\n');
  const std::size_t begin = tail.newline_missing ? 1 : 0;
  const auto new_ending = checksum_of_ending(std::string_view(record).substr(begin));
  if (!gate.try_commit()) return Error(Errc::cancelled);
  if (auto written = write_record(tail.end, record, padding); !written) return written;
  if (durability == Durability::power) {
    if (auto synced = sync(); !synced) return synced;
  }
  tail.ending = new_ending;
  tail.offset = tail.end + begin;
  tail.end = end;
  tail.size = new_size;
  tail.newline_missing = false;
  ++tail.seq;
  tail.members.clear();
  tail.checked = true;
  return success();
}

Result<void> AppendLog::cut_torn(LogTail& tail) {
  if (auto cut = file_->truncate(tail.end); !cut) return failed(cut.error(), "cannot cut a torn record");
  if (auto synced = file_->sync_data(); !synced) {
    mark_poisoned(*directory_, name_);
    return failed(synced.error(), "cannot sync the log without its torn record");
  }
  tail.size = tail.end;
  tail.torn = false;
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
  // as not written, and the next append must find newlines, or the end of the file, where it writes. The cut
  // is synced for the same reason as a torn record's.
  auto cut = file_->truncate(end);
  if (cut) cut = file_->sync_data();
  if (!cut) return poison(cut.error(), "a partial record cannot be cut");
  return failed(cause, "cannot append to the log");
}

Result<void> AppendLog::sync() {
  auto synced = file_->sync_data();
  if (!synced) return poison(synced.error(), "the sync of the log failed: what it holds may be lost");
  return success();
}

bool AppendLog::must_be_replaced() const {
  return info_.links > 1 || sync_failed();
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
  mark_poisoned(*directory_, name_);
  return Error(Errc::indeterminate, what).with_path((directory_->path() / name_).native()).with_cause(cause);
}

}  // namespace sessile::storage
