// A store that is correct, and becomes wrong in one way when a defect is chosen.
#pragma once

#include "conformance/suite.hpp"

#include <sessile/backend.hpp>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::conformance {

/// A defect is named after the behaviour that it breaks; the empty name is a store without one.
class Defect {
 public:
  Defect() {}
  explicit Defect(std::string_view slug) : slug_(slug) {}
  bool is(std::string_view slug) const noexcept { return slug_ == slug; }
  const std::string& slug() const noexcept { return slug_; }

 private:
  std::string slug_;
};

/// What a store has on one session.
class Record {
 public:
  Record() {}
  SessionPtr session;
  AppendMemory appends;
  bool corrupt = false;
  std::set<std::string> former_agents;    // for a defect
  std::uint64_t messages_when_saved = 0;  // for a defect
};

/// Where the sessions are; handles share it.
class Place {
 public:
  Place() {}
  std::mutex mutex;
  std::map<std::string, Record> records;       // by key_of(id); protected by mutex, as all here
  std::map<std::string, Record> removed;       // for defects
  AppendMemory appends_of_all;                 // for a defect
  SessionPtr scratch;                          // for a defect
  std::map<std::string, std::size_t> offsets;  // for a defect: cursors
};

using PlacePtr = std::shared_ptr<Place>;

class BrokenStore final : public SessionStore {
 public:
  BrokenStore(PlacePtr place, OpenOptions options, Defect defect);

 private:
  Async<Written> do_save(SessionPtr session, SaveOptions options) override;
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override;
  Async<Page<SessionSummary>> do_list(ListQuery query) override;
  Async<void> do_remove(SessionId id, RemoveOptions options) override;
  Async<AgentSessions> do_list_for_agent(AgentId agent, ListQuery query) override;
  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override;
  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override;
  Async<void> do_flush() override;

  bool is(std::string_view slug) const noexcept { return defect_.is(slug); }
  /// Gives way, as a store that does I/O would.
  asio::awaitable<void> pause() const;
  /// Long enough for others to come between two steps.
  asio::awaitable<void> dally() const;

  /// The condition of an append or a removal, as far as the store looks at it.
  RevisionCheck asked_of(const std::string& operation, const RevisionCheck& check) const;

  // Steps, each under the lock of the place.
  Result<void> check(const SessionId& id, const RevisionCheck& revision);
  Result<Written> write(Session next, const SaveOptions& options);
  Result<Written> append_now(const SessionId& id, std::vector<Message> messages,
                             const AppendOptions& options);
  Result<std::optional<Written>> find_replay(Record& record, const AppendOptions& options,
                                             const std::string& print);
  Result<SessionPtr> update_now(const SessionId& id, const Mutation& mutation, const UpdateOptions& options);
  Result<void> remove_now(const SessionId& id, const RemoveOptions& options);
  Result<Page<SessionSummary>> page_of(ListQuery query, bool whole);
  Result<AgentSessions> sessions_of(ListQuery query);

  // Without the lock: it must be held.
  Record* find(const SessionId& id);
  Result<void> compare(const Record* record, const RevisionCheck& revision) const;
  Written stamp(const Record* record, const Session& next, Times times) const;
  Written store(Record& record, Session next, Times times);
  void note_agent(Record& record, const AgentId& next) const;
  Result<std::shared_ptr<Session>> mutate(const Session& current, const Mutation& mutation) const;
  std::vector<SessionSummary> summaries(const ListQuery& query, std::vector<Error>& unreadable);
  void spoil_page(Page<SessionSummary>& page, const ListQuery& query) const;
  Page<SessionSummary> page_by_offset(std::vector<SessionSummary> all, const ListQuery& query);

  const PlacePtr place_;
  const Defect defect_;
  const Stamper stamper_;
};

/// `id` as the store files it; two ids of one key are one session.
std::string key_of(const SessionId& id, const Defect& defect);
/// `session` as the store keeps it.
Session kept(Session session, const Defect& defect);

/// The call level: what SessionStore's own functions enforce is broken here.
std::unique_ptr<Subject> make_broken_subject(StorePtr store, Defect defect);

/// A harness with every hook, on a fresh place. The second process is a thread with a handle of its own.
Harness broken_harness(Defect defect);

/// One row of the table of defects: the behaviour, and what the store does wrong.
class DefectRow {
 public:
  DefectRow(std::string_view slug_, std::string_view what_) : slug(slug_), what(what_) {}
  std::string_view slug;
  std::string_view what;
};
std::vector<DefectRow> defects();

}  // namespace sessile::conformance
