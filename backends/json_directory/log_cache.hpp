// What this process remembers of logs, so that a write need not read them.
#pragma once

#include "session_change.hpp"
#include "storage/append_log.hpp"

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace sessile::json_directory {

/// What a log tells of its session without being read as a whole.
class TailState {
 public:
  TailState() {}
  SessionSummary summary;
  std::uint64_t base = 0;
  bool unsettled = false;
  bool synced = false;  ///< the last record is known to be on the device
  /// As in RecordHead, for the record that comes next.
  std::optional<std::uint64_t> from;
  std::optional<std::uint64_t> keyed;
};

/// A session that was read, and the bytes that it was read from.
class LoadedSession {
 public:
  LoadedSession() {}
  SessionPtr session;
  storage::FileIdentity identity;
  std::int64_t born = 0;
  std::uint64_t from = 0;
  std::uint64_t end = 0;
  std::uint32_t checksum = 0;
  Limits limits;  ///< within which it was found to be
};

/// One log. Good only while AppendLog::recognise says so of its mark.
class KnownLog {
 public:
  KnownLog() {}
  storage::LogMark mark;
  TailState state;
  KnownContent content;
  bool exact = false;                           ///< content.base bears the stored revision and times
  std::shared_ptr<const AppendMemory> appends;  ///< null: not known
  std::optional<LoadedSession> loaded;

  /// About what it takes in memory.
  std::uint64_t cost() const noexcept;
};

/// Logs by directory and name; the least recently used go when there are too many or they take too much.
/// Never a source of truth: what it says is checked against the file. Thread-safe.
class LogCache {
 public:
  LogCache() {}
  /// The one that all stores on the operating system's files share.
  static const std::shared_ptr<LogCache>& of_the_process();

  /// Takes it out, for a writer that holds the session's lock; null when there is none.
  std::unique_ptr<KnownLog> take(const storage::Directory& sessions, const std::string& log);
  /// For that writer, when it is done.
  void put(const storage::Directory& sessions, const std::string& log, std::unique_ptr<KnownLog> known);
  /// For a reader: is passed over when as much is known of the log already, or more.
  void offer(const storage::Directory& sessions, const std::string& log, std::unique_ptr<KnownLog> known);
  /// The same for one who reads many: passed over too when others would have to go for it.
  void offer_if_room(const storage::Directory& sessions, const std::string& log,
                     std::unique_ptr<KnownLog> known);
  /// The session that was loaded last.
  std::optional<LoadedSession> loaded(const storage::Directory& sessions, const std::string& log);

 private:
  class Key {
   public:
    storage::FileIdentity directory;
    std::string log;
    friend bool operator==(const Key&, const Key&) = default;
  };
  class Hash {
   public:
    std::size_t operator()(const Key& key) const noexcept;
  };
  class Entry {
   public:
    std::unique_ptr<KnownLog> known;
    std::uint64_t cost = 0;
    std::list<const Key*>::iterator place;
  };
  using Map = std::unordered_map<Key, Entry, Hash>;

  enum class Terms { always, if_newer, if_newer_and_room };

  void insert(Key key, std::unique_ptr<KnownLog> known, Terms terms);
  /// Whether something of that cost fits, in the place of `old` where that is given, without others going.
  bool has_room(std::uint64_t cost, const Entry* old) const noexcept;
  std::unique_ptr<KnownLog> extract(Map::iterator entry);

  std::mutex mutex_;
  // Protected by mutex_:
  Map entries_;
  std::list<const Key*> by_use_;  // the latest first
  std::uint64_t cost_ = 0;
};

}  // namespace sessile::json_directory
