#pragma once

#include "layout.hpp"
#include "session_log.hpp"
#include "storage/advisory_lock.hpp"

#include <sessile/backend.hpp>
#include <sessile/store.hpp>

#include <mutex>
#include <set>

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
/// is read again under its writers' lock before that is believed.
class JsonDirectoryStore final : public SessionStore {
 public:
  JsonDirectoryStore(std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory,
                     LockOptions lock, OpenOptions options, Capabilities capabilities);

 private:
  using PlacePtr = std::shared_ptr<const Place>;

  /// The sessions that a flush has taken on; those that it has not come to, however it ends, are given back.
  class Flushing {
   public:
    explicit Flushing(JsonDirectoryStore& store);
    ~Flushing();
    Flushing(const Flushing&) = delete;
    Flushing& operator=(const Flushing&) = delete;
    std::set<SessionId> ids;

   private:
    JsonDirectoryStore& store_;
  };

  Async<Written> do_save(SessionPtr session, SaveOptions options) override;
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override;
  Async<Page<SessionSummary>> do_list(ListQuery query) override;
  Async<void> do_remove(SessionId id, RemoveOptions options) override;
  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override;
  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override;
  Async<AgentSessions> do_list_for_agent(AgentId agent, ListQuery query) override;
  Async<void> do_flush() override;
  Async<VerifyReport> do_verify(VerifyOptions options) override;

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
  /// Notes what flush has to make durable.
  void wrote(const SessionId& id, Durability durability);

  const Limits& limits() const noexcept { return capabilities().limits; }

  const LockOptions lock_;
  const Stamper stamper_;
  Layout layout_;
  std::mutex mutex_;
  std::set<SessionId> unsettled_;  // written with less than power since the last flush; protected by mutex_
};

}  // namespace sessile::json_directory
