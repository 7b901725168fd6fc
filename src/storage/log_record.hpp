// One record of an append-only log, and how a log's bytes are told apart from damage.
#pragma once

#include <sessile/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::storage {

// A record is one line:
//
//   {"crc":"XXXXXXXX","seq":N,MEMBERS,"len":"LLLLLLLLLL"}
//
// XXXXXXXX: lowercase hex CRC-32 (zlib's) of the bytes after the first comma, from `"seq"` to the closing
// brace, both included. N: one more than the record before, without leading zeros; a log may start at any
// number from 1. LLLLLLLLLL: ten decimal digits, the bytes of the line without its newline. Both fixed widths
// let a record be found and checked from either end. Newlines after the last record are padding.

/// Bytes of `{"crc":"XXXXXXXX",`, which the checksum does not cover.
inline constexpr std::size_t kRecordPrefixBytes = 18;
/// Bytes of `,"len":"LLLLLLLLLL"}`.
inline constexpr std::size_t kRecordSuffixBytes = 20;

/// What a device writes whole or not at all.
inline constexpr std::uint64_t kSectorBytes = 512;

/// CRC-32 as zlib computes it.
std::uint32_t checksum(std::string_view bytes) noexcept;
/// Eight lowercase hex digits.
std::string checksum_text(std::string_view bytes);

/// The record's line and its newline. `members`: one or more JSON members, comma-separated, without braces,
/// none of them named crc, seq or len, on one line. Precondition: seq > 0.
std::string frame_record(std::uint64_t seq, std::string_view members);

/// A record that checked out. Views into the bytes it was read from.
class LogRecord {
 public:
  LogRecord() noexcept {}
  std::uint64_t offset = 0;  ///< of the line in the log
  std::uint64_t seq = 0;
  std::string_view line;     ///< without the newline
  std::string_view members;  ///< what was given to frame_record
};

/// The record that `line`, without its newline, is; empty when it is none, or damaged.
std::optional<LogRecord> check_record(std::string_view line) noexcept;

/// The members at the beginning of a record, from the first bytes of its line, unchecked; empty when these do
/// not begin as a record does.
std::string_view leading_members(std::string_view line_start) noexcept;

/// The sequence number at the beginning of a record, unchecked; 0 when there is none.
std::uint64_t leading_number(std::string_view line_start) noexcept;

/// The length that the record ending with `bytes` claims to have; empty when they do not end as one does.
std::optional<std::uint64_t> claimed_length(std::string_view bytes) noexcept;

/// What the bytes of a log hold.
class LogScan {
 public:
  LogScan() noexcept {}
  std::vector<LogRecord> records;  ///< never empty
  std::uint64_t end = 0;           ///< where the next record goes
  bool newline_missing = false;    ///< the last record has no newline: one must be written at `end` first
  bool torn = false;               ///< an append was interrupted: bytes at `end` and after are to be cut
};

/// Reads all records. Two records on one line, without a newline between, are both read.
///
/// Errors: corrupt, with offset(): no record at all; a record that is invalid or out of sequence, unless it
/// is the last and looks as an interrupted append leaves it: a beginning of a record, perhaps with whole
/// sectors (512 bytes) of it still newlines, or NULs up to the end of a sector or the log where the log was
/// made longer, and never all of it. So damage to any one byte of a log is reported, its last record
/// included; but for the last byte of all turned into padding, which is what an append cut one byte short
/// leaves.
Result<LogScan> scan_log(std::string_view bytes);

/// What can still be read of a damaged log.
class LogSalvage {
 public:
  LogSalvage() noexcept {}
  /// The records that check out, in the order of the file; each run without a gap in bytes or numbers.
  std::vector<std::vector<LogRecord>> runs;
  std::uint64_t lost = 0;  ///< lines that hold no record, or only behind one
};

/// Reads the records that begin a line, or follow another on it. What only looks like one inside of a damaged
/// line is not believed: it may be part of what a session says.
LogSalvage salvage_log(std::string_view bytes);

/// A log's file is made of whole blocks, padding included.
inline constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t round_up_to_block(std::uint64_t size) noexcept {
  return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

}  // namespace sessile::storage
