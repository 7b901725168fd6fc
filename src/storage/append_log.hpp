// A file of checked JSON lines that grows by one record an append, with one sync.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"
#include "storage/log_record.hpp"

#include <sessile/options.hpp>
#include <sessile/result.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sessile::storage {

/// At most so many bytes of padding follow a log's last record.
inline constexpr std::uint64_t kMostPaddingBytes = (std::uint64_t{1} << 20) + kBlockBytes;

/// The last record of a log and where the next one goes.
class LogTail {
 public:
  LogTail() {}
  std::uint64_t offset = 0;  ///< of the record
  std::uint64_t seq = 0;
  std::string members;                  ///< of the record; peek: perhaps only its first bytes; append: none
  std::uint64_t end = 0;                ///< where the next record goes
  std::uint64_t size = 0;               ///< of the file, padding included
  bool newline_missing = false;         ///< as LogScan
  bool torn = false;                    ///< as LogScan
  std::optional<std::uint32_t> ending;  ///< as LogMark, where it is known
  bool checked = true;                  ///< peek: false when the record's own checksum was not looked at
};

/// What lets a writer know a log again without reading it: the file, and what its end looks like.
class LogMark {
 public:
  LogMark() noexcept {}
  FileIdentity identity;
  std::int64_t born = 0;
  std::uint64_t offset = 0;  ///< these four as in LogTail
  std::uint64_t seq = 0;
  std::uint64_t end = 0;
  std::uint64_t size = 0;
  std::uint32_t ending = 0;  ///< the checksum of the record's first bytes and last block
};

/// LogMark::ending of a log whose last record is `line`, with its newline.
std::uint32_t checksum_of_ending(std::string_view line);

/// A log in a directory, through one descriptor. The format is log_record.hpp's.
///
/// The file is made longer in chunks of newlines, ahead of need, so that most synced appends overwrite blocks
/// that are there already, and the sync has no metadata to commit.
///
/// Any number of readers may look at a log while one writer appends: they see the records up to some point. A
/// reader that meets `corrupt` while a writer is at work may have read across two appends: it must look
/// again, best under the writers' lock, before it believes it.
///
/// A failed sync poisons the log: the kernel may have dropped what was written, and a later sync would not
/// say so. From then on must_be_replaced() is true, in every process, until replace_log has written all of
/// it to a new file. The mark is an empty file NAME.poisoned beside the log; it need not survive a reboot, as
/// the page cache that it warns of does not.
///
/// Not thread-safe. The directory must outlive it.
class AppendLog {
 public:
  /// Errors: not_found, io, unavailable.
  static Result<AppendLog> open_to_read(Directory& directory, std::string name);
  /// As open_to_read, for one who must not wait for the device: see Directory::open_cached. Errors: those,
  /// and unavailable or io where it would wait, of this and of all that reads.
  static Result<AppendLog> open_cached(Directory& directory, std::string name);
  /// Precondition, for as long as this object lives: the caller holds the lock of the log's writers.
  static Result<AppendLog> open_to_write(Directory& directory, std::string name);

  /// The file's size, padding included, as of the opening or later.
  Result<std::uint64_t> size();

  /// All bytes, to be given to scan_log. Errors: too_large when there are more than `limit`, io.
  Result<std::string> read_all(std::uint64_t limit);

  /// Up to `size` bytes from `offset` on.
  Result<std::string> read_at(std::uint64_t offset, std::uint64_t size);

  /// The last record, found from the end and checked. Reads the padding and that record, and the whole log
  /// only when what is at its end is no good record: torn, or damaged. What comes before the last record is
  /// not looked at. Errors: corrupt, too_large when the record, or the log where
  /// all of it must be read, is larger than `limit`; io.
  Result<LogTail> tail(std::uint64_t limit);

  /// As tail, but of what claims to be a record larger than `head_bytes`, and begins as one does, reads and
  /// returns only so many of its first bytes: its checksum is then not checked, and `checked` is false. It
  /// may be torn anywhere behind its number: who cannot make sense of its members must ask tail.
  Result<LogTail> peek(std::uint64_t limit, std::uint64_t head_bytes);

  /// What to remember of the log. Preconditions: `tail` is what this object returned last; where its `ending`
  /// is not known, the caller holds the lock of the log's writers, since the file is looked at for it.
  Result<LogMark> mark(const LogTail& tail);

  /// The tail that `mark` was made of, without its members, when the log ends as it did then: no other writer
  /// was here since, and the end of the last record is as it was. Else empty. Reads at most two blocks.
  Result<std::optional<LogTail>> recognise(const LogMark& mark);

  /// True when the file is that one, and holds bytes of this checksum from `from` to `end` and no record
  /// after them.
  Result<bool> holds(FileIdentity identity, std::int64_t born, std::uint64_t from, std::uint64_t end,
                     std::uint32_t sum);

  /// Appends one record with the sequence number after the last one's, cutting a torn record before.
  /// Preconditions: opened to write; `tail` is of this log, and nothing was written since; not
  /// must_be_replaced(). The commit point is the write: `gate` is asked right before it. With
  /// Durability::power all of the log is synced.
  ///
  /// On success updates `tail`, whose members are then empty. Errors: cancelled, io, unavailable: nothing was
  /// written that is not taken back, but a torn record may be cut. indeterminate: the sync failed, or part of
  /// a record could not be taken back; the log is poisoned. What is thrown is so before anything is written,
  /// but where there is no memory to say what failed.
  Result<void> append(LogTail& tail, std::string_view members, Durability durability, CommitGate& gate);

  /// Syncs what was appended. Errors: indeterminate, the log is poisoned.
  Result<void> sync();

  /// True when it must not be appended to: a sync failed, or, once its end was read, the file has another
  /// name (a backup made of hard links), whose content must stay as it is.
  bool must_be_replaced() const;
  /// True when a sync failed and the log has not been replaced since.
  bool sync_failed() const;

 private:
  AppendLog(Directory& directory, std::string name, std::unique_ptr<File> file);
  static Result<AppendLog> open(Directory& directory, std::string name, OpenMode mode);
  Result<FileInfo> look();
  Result<std::uint32_t> ending(const LogTail& tail);
  /// The end of what is not padding. Errors: corrupt when there is nothing else.
  Result<std::uint64_t> end_of_content(std::uint64_t size);
  Result<LogTail> tail_by_scan(std::uint64_t limit);
  /// Takes away what an interrupted append left, for good: were the cut still to be synced when the next
  /// record is written, a crash could leave parts of both, which nobody could tell from damage.
  Result<void> cut_torn(LogTail& tail);
  Result<void> write_record(std::uint64_t end, std::string_view record, std::string_view padding);
  Error failed(boost::system::error_code cause, std::string_view what) const;
  Error corrupt(std::string_view detail, std::uint64_t offset) const;
  Error poison(boost::system::error_code cause, std::string_view what) const;

  Directory* directory_;
  std::string name_;
  std::unique_ptr<File> file_;
  FileInfo info_;  // what look() saw last
};

}  // namespace sessile::storage
