#pragma once

#include "compaction.hpp"
#include "layout.hpp"
#include "session_log.hpp"
#include "storage/advisory_lock.hpp"

#include <sessile/backend.hpp>
#include <sessile/store.hpp>

#include <map>
#include <mutex>

namespace sessile::json_directory {

/// What a listing saw of the logs.
class Seen {
 public:
  Seen() {}
  std::vector<SessionSummary> summaries;
  std::vector<Error> unreadable;
  /// Names of logs that looked corrupt: perhaps read while they were written.
  std::vector<std::string> suspects;
};

/// See backends/json_directory/README.md. Readers take no lock, but for one thing: a log that looks corrupt
/// is read again under its writers' lock before that is believed. A store opened read-only reads it again
/// without.
class JsonDirectoryStore final : public SessionStore {
 public:
  JsonDirectoryStore(std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory,
                     LockOptions lock, OpenOptions options, Capabilities capabilities,
                     CompactionSettings compaction);

 private:
  using PlacePtr = std::shared_ptr<const Place>;

  /// Sessions that were written with less than power, each with the number of its last such write.
  using Unsettled = std::map<SessionId, std::uint64_t>;

  Async<Written> do_save(SessionPtr session, SaveOptions options) override;
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override;
  Async<Page<SessionSummary>> do_list(ListQuery query) override;
  Async<void> do_remove(SessionId id, RemoveOptions options) override;
  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override;
  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override;
  Async<AgentSessions> do_list_for_agent(AgentId agent, ListQuery query) override;
  Async<void> do_flush() override;
  Async<VerifyReport> do_verify(VerifyOptions options) override;
  Async<void> do_close() override;

  /// The opened directories, made when missing.
  Async<PlacePtr> writable_place();
  /// The same, but null when there is no store yet.
  Async<PlacePtr> existing_place();
  storage::AdvisoryLock lock_of(const Place& place, const std::string& name) const;

  Result<SessionPtr> load_now(const SessionId& id, const LoadOptions& options);
  /// The agent's sessions in one go: empty when there are too many, or anything is not as it should be.
  Result<std::optional<AgentSessions>> gather(const ListQuery& query);
  Result<Seen> look(const ListQuery& query);
  /// Reads the suspects again, each under its lock.
  Async<void> look_again(Seen& seen, const ListQuery& query);
  /// The same for a store that may take no locks.
  Result<void> look_again_unlocked(Seen& seen, const ListQuery& query);
  /// Takes note of a write: of what flush has to make durable, and of a log that is due for compaction.
  /// `begun`: weak_writes() before the write waited for its lock. What was noted by then it has made durable,
  /// when that was asked.
  template <class T>
  void wrote(const PlacePtr& place, const SessionWriter& writer, const Result<T>& outcome, Durability asked,
             std::uint64_t begun);
  std::uint64_t weak_writes();
  Unsettled unsettled();
  /// `write` and all before it are durable: a later one is not taken off the list.
  void settled(const SessionId& id, std::uint64_t write);

  const Limits& limits() const noexcept { return capabilities().limits; }

  const LockOptions lock_;
  const Stamper stamper_;
  Layout layout_;
  const std::shared_ptr<AsideCompactions> compactions_ = std::make_shared<AsideCompactions>();
  std::mutex mutex_;
  // Protected by mutex_:
  Unsettled
      unsettled_;  // until they are known to be durable: a flush that runs beside another waits for them too
  std::uint64_t weak_writes_ = 0;
};

}  // namespace sessile::json_directory
