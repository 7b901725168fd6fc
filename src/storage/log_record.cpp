#include "storage/log_record.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <charconv>

namespace sessile::storage {

namespace {

constexpr std::string_view kPrefixStart = "{\"crc\":\"";
constexpr std::string_view kPrefixEnd = "\",";
constexpr std::string_view kSeqStart = "\"seq\":";
constexpr std::string_view kSuffixStart = ",\"len\":\"";
constexpr std::string_view kSuffixEnd = "\"}";
constexpr std::size_t kLengthDigits = 10;

static_assert(kPrefixStart.size() + 8 + kPrefixEnd.size() == kRecordPrefixBytes);
static_assert(kSuffixStart.size() + kLengthDigits + kSuffixEnd.size() == kRecordSuffixBytes);

std::string suffix_for(std::uint64_t length) {
  std::string digits = std::to_string(length);
  std::string suffix(kSuffixStart);
  suffix.append(kLengthDigits - std::min(kLengthDigits, digits.size()), '0');
  return suffix.append(digits).append(kSuffixEnd);
}

void write_hex(char* out, std::uint32_t value) noexcept {
  for (int i = 7; i >= 0; --i, value >>= 4)
    out[i] = "0123456789abcdef"[value & 15];
}

template <class Number>
std::optional<Number> parse_number(std::string_view digits) noexcept {
  Number value = 0;
  auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// The record at the front of `line` that is followed, without a newline, by something else.
std::optional<LogRecord> check_glued(std::string_view line) noexcept {
  for (std::size_t at = line.find(kSuffixStart); at != std::string_view::npos;
       at = line.find(kSuffixStart, at + 1)) {
    const std::size_t end = at + kRecordSuffixBytes;
    if (end > line.size()) return std::nullopt;
    const std::string_view candidate = line.substr(0, end);
    if (claimed_length(candidate) != end) continue;
    if (auto record = check_record(candidate)) return record;
  }
  return std::nullopt;
}

bool holds_record(std::string_view bytes) noexcept {
  for (std::size_t at = bytes.find(kPrefixStart); at != std::string_view::npos;
       at = bytes.find(kPrefixStart, at + 1)) {
    const std::string_view line = bytes.substr(at, bytes.find('\n', at) - at);
    if (check_record(line) || check_glued(line)) return true;
  }
  return false;
}

/// True when `fragment` could be the first bytes of a record.
bool begins_as_record(std::string_view fragment) noexcept {
  for (std::size_t i = 0; i < std::min(fragment.size(), kRecordPrefixBytes + kSeqStart.size()); ++i) {
    const char byte = fragment[i];
    if (i < kPrefixStart.size()) {
      if (byte != kPrefixStart[i]) return false;
    } else if (i < kPrefixStart.size() + 8) {
      if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'))) return false;
    } else if (i < kRecordPrefixBytes) {
      if (byte != kPrefixEnd[i - kPrefixStart.size() - 8]) return false;
    } else if (byte != kSeqStart[i - kRecordPrefixBytes]) {
      return false;
    }
  }
  return true;
}

/// True when `fragment` ends as a record of just its size does, give or take one damaged byte: then all of it
/// was written, and what is wrong with it is no interruption.
bool ends_as_record(std::string_view fragment) {
  if (fragment.size() < kRecordSuffixBytes) return false;
  const std::string expected = suffix_for(fragment.size());
  const std::string_view found = fragment.substr(fragment.size() - kRecordSuffixBytes);
  int wrong = 0;
  for (std::size_t i = 0; i < kRecordSuffixBytes; ++i)
    wrong += expected[i] != found[i] ? 1 : 0;
  return wrong <= 1;
}

constexpr std::string_view kBlank("\n\0", 2);

/// True when each run of NULs in `bytes`, at `offset`, ends where a sector or the log does: so they are where
/// the log was made longer, or a truncation half done, and the data did not follow.
bool are_lost_sectors(std::string_view bytes, std::uint64_t offset) {
  for (std::size_t at = bytes.find('\0'); at < bytes.size(); at = bytes.find('\0', at)) {
    at = std::min(bytes.find_first_not_of('\0', at), bytes.size());
    if (at < bytes.size() && (offset + at) % kSectorBytes != 0) return false;
  }
  return true;
}

/// True when the bytes after the last good record, at `offset`, are what an interrupted append leaves. The
/// region was newlines, or beyond the end of the file, before it: so it holds a beginning of the record, in
/// which sectors that did not reach the disk are newlines or NULs.
bool is_interrupted_append(std::string_view tail, std::uint64_t offset) {
  const std::string_view fragment = tail.substr(0, tail.find_last_not_of(kBlank) + 1);
  if (holds_record(fragment)) return false;
  if (!are_lost_sectors(tail, offset)) return false;
  bool holes = tail.find('\0') != std::string_view::npos;
  for (std::size_t at = fragment.find_first_of(kBlank); at != std::string_view::npos;
       at = fragment.find_first_of(kBlank, at)) {
    const std::size_t end = fragment.find_first_not_of(kBlank, at);
    // NULs may begin where a write was torn; newlines were there before, and fill whole sectors.
    if (at != 0 && fragment[at] == '\n' && (offset + at) % kSectorBytes != 0) return false;
    if ((offset + end) % kSectorBytes != 0) return false;
    holes = true;
    at = end;
  }
  if (!begins_as_record(fragment.substr(0, fragment.find_first_of(kBlank)))) return false;
  return holes || !ends_as_record(fragment);
}

Error corrupt(std::string_view detail, std::uint64_t offset) {
  return Error(Errc::corrupt, detail).with_offset(offset);
}

/// Judges what follows the last good record, from `scan.end` on.
Result<LogScan> judge_tail(LogScan scan, std::string_view bytes) {
  const std::string_view tail = bytes.substr(scan.end);
  const auto nul = tail.find('\0');
  if (scan.records.empty()) {
    if (nul != std::string_view::npos) return corrupt("NUL bytes in the log: a block of it was lost", nul);
    return corrupt("the log holds no complete first record", 0);
  }
  if (tail.find_first_not_of('\n') == std::string_view::npos) return scan;
  if (!is_interrupted_append(tail, scan.end)) {
    if (nul != std::string_view::npos) {
      return corrupt("NUL bytes in the log: a block of it was lost", scan.end + nul);
    }
    return corrupt("a record does not match its checksum, or is none", scan.end);
  }
  scan.torn = true;
  return scan;
}

}  // namespace

std::uint32_t checksum(std::string_view bytes) noexcept {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

std::string checksum_text(std::string_view bytes) {
  std::string text(8, '0');
  write_hex(text.data(), checksum(bytes));
  return text;
}

std::string frame_record(std::uint64_t seq, std::string_view members) {
  const std::string number = std::to_string(seq);
  const std::size_t length =
      kRecordPrefixBytes + kSeqStart.size() + number.size() + 1 + members.size() + kRecordSuffixBytes;
  std::string line;
  line.reserve(length + 1);
  line.append(kPrefixStart).append(8, '0').append(kPrefixEnd);
  line.append(kSeqStart).append(number).append(1, ',').append(members).append(suffix_for(length));
  write_hex(line.data() + kPrefixStart.size(), checksum(std::string_view(line).substr(kRecordPrefixBytes)));
  line.push_back('\n');
  return line;
}

std::optional<std::uint64_t> claimed_length(std::string_view bytes) noexcept {
  if (bytes.size() < kRecordSuffixBytes) return std::nullopt;
  const std::string_view suffix = bytes.substr(bytes.size() - kRecordSuffixBytes);
  if (!suffix.starts_with(kSuffixStart) || !suffix.ends_with(kSuffixEnd)) return std::nullopt;
  return parse_number<std::uint64_t>(suffix.substr(kSuffixStart.size(), kLengthDigits));
}

std::string_view leading_members(std::string_view line_start) noexcept {
  if (!begins_as_record(line_start)) return {};
  const std::size_t comma = line_start.find(',', kRecordPrefixBytes);
  return comma == std::string_view::npos ? std::string_view() : line_start.substr(comma + 1);
}

std::uint64_t leading_number(std::string_view line_start) noexcept {
  if (!begins_as_record(line_start)) return 0;
  const std::string_view rest = line_start.substr(kRecordPrefixBytes + kSeqStart.size());
  return parse_number<std::uint64_t>(rest.substr(0, rest.find(','))).value_or(0);
}

std::optional<LogRecord> check_record(std::string_view line) noexcept {
  if (line.size() <= kRecordPrefixBytes + kSeqStart.size() + kRecordSuffixBytes) return std::nullopt;
  if (!line.starts_with(kPrefixStart) || claimed_length(line) != line.size()) return std::nullopt;
  const std::string_view rest = line.substr(kRecordPrefixBytes);
  char expected[8];
  write_hex(expected, checksum(rest));
  if (line.substr(kPrefixStart.size(), 8) != std::string_view(expected, 8)) return std::nullopt;
  if (line.substr(kPrefixStart.size() + 8, kPrefixEnd.size()) != kPrefixEnd) return std::nullopt;
  if (!rest.starts_with(kSeqStart)) return std::nullopt;
  const std::size_t comma = rest.find(',');
  const std::string_view digits = rest.substr(kSeqStart.size(), comma - kSeqStart.size());
  const auto seq = parse_number<std::uint64_t>(digits);
  if (!seq || *seq == 0 || digits.front() == '0') return std::nullopt;
  if (comma + 1 >= rest.size() - kRecordSuffixBytes) return std::nullopt;
  LogRecord record;
  record.seq = *seq;
  record.line = line;
  record.members = rest.substr(comma + 1, rest.size() - kRecordSuffixBytes - comma - 1);
  return record;
}

Result<LogScan> scan_log(std::string_view bytes) {
  LogScan scan;
  while (scan.end < bytes.size()) {
    const std::size_t line_end = std::min(bytes.find('\n', scan.end), bytes.size());
    const std::string_view line = bytes.substr(scan.end, line_end - scan.end);
    auto record = check_record(line);
    if (!record) record = check_glued(line);
    if (!record) break;
    if (!scan.records.empty() && record->seq != scan.records.back().seq + 1) {
      return corrupt("a record is missing, or is there twice: the sequence has a gap", scan.end);
    }
    record->offset = scan.end;
    scan.end += record->line.size();
    scan.newline_missing = scan.end < line_end || line_end == bytes.size();
    if (!scan.newline_missing) ++scan.end;
    scan.records.push_back(*record);
  }
  return judge_tail(std::move(scan), bytes);
}

LogSalvage salvage_log(std::string_view bytes) {
  LogSalvage salvage;
  bool gap = true;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t line_end = std::min(bytes.find('\n', at), bytes.size());
    std::string_view rest = bytes.substr(at, line_end - at);
    while (!rest.empty()) {
      auto record = check_record(rest);
      if (!record) record = check_glued(rest);
      if (!record) break;
      record->offset = line_end - rest.size();
      if (gap || record->seq != salvage.runs.back().back().seq + 1) salvage.runs.emplace_back();
      gap = false;
      salvage.runs.back().push_back(*record);
      rest.remove_prefix(record->line.size());
    }
    if (!rest.empty()) {
      gap = true;
      ++salvage.lost;
    }
    at = line_end + 1;
  }
  return salvage;
}

}  // namespace sessile::storage
