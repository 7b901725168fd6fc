#include "factory.hpp"

#include <sessile/backend.hpp>
#include <sessile/memory.hpp>
#include <sessile/store.hpp>

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>

namespace sessile {

namespace {

/// One stored session. A write puts a new one in its place, but for an append to one that nobody else has.
class Record {
 public:
  /// The session, to be changed: a copy where somebody else may be looking at it. Precondition: the shard's
  /// mutex is held, under which alone sessions are handed out.
  Session& own() {
    if (session.use_count() == 1) {
      // Its last other owner let it go before; what that one read of it happens before what is written now.
      [[maybe_unused]] const SessionPtr synchronized = session;
    } else {
      session = std::make_shared<Session>(*session);
    }
    return *session;
  }

  /// The session for those who look at it, with owners of its own: a weak_ptr of theirs expires with the last
  /// of them, so that none can come back to what own() has changed.
  SessionPtr shown() const { return shown(session); }
  static SessionPtr shown(std::shared_ptr<const Session> session) {
    const auto owner = std::make_shared<const SessionPtr>(std::move(session));
    return SessionPtr(owner, owner->get());
  }

  std::shared_ptr<Session> session;
  std::shared_ptr<const AppendMemory> appends;
};

/// A part of the map with a lock of its own, so that writers of different sessions seldom meet.
class Shard {
 public:
  std::mutex mutex;
  std::unordered_map<SessionId, Record> records;  // protected by mutex
};

StoredState state_of(const Session& session) {
  return StoredState(session.revision, session.created_at, session.updated_at);
}

Capabilities memory_capabilities(const OpenOptions& options) {
  Capabilities capabilities;
  capabilities.backend = "memory";
  capabilities.max_durability = Durability::none;
  capabilities.default_durability = Durability::none;
  capabilities.idempotent_append = true;
  capabilities.reach = Reach::process;
  capabilities.limits = options.limits();
  capabilities.never_suspends = true;
  return capabilities;
}

/// Every operation is one critical section of one shard: no coroutine here suspends.
class MemoryStore final : public SessionStore {
 public:
  explicit MemoryStore(OpenOptions open)
      : SessionStore(open, memory_capabilities(open)), stamper_(open.clock()) {}

 private:
  Shard& shard_of(const SessionId& id) { return shards_[std::hash<SessionId>()(id) % shards_.size()]; }

  Async<Written> do_save(SessionPtr session, SaveOptions options) override {
    // Copied before the lock is taken: the section stays short.
    auto next = std::make_shared<Session>(*session);
    next->stored_bytes = options.measured_bytes();
    Shard& shard = shard_of(next->id);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.records.find(next->id);
    std::optional<StoredState> stored;
    if (found != shard.records.end()) stored = state_of(*found->second.session);
    if (auto expected = check_revision(options.if_revision(), revision_of(stored)); !expected) {
      co_return expected.error();
    }
    const Written written = stamper_.next(stored, *next, options.times());
    next->revision = written.revision;
    next->created_at = written.created_at;
    next->updated_at = written.updated_at;
    Record record;
    record.appends = stored ? found->second.appends : std::make_shared<const AppendMemory>();
    record.session = next;
    shard.records.insert_or_assign(next->id, std::move(record));
    co_return written;
  }

  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override {
    SessionPtr session;
    {
      Shard& shard = shard_of(id);
      const std::lock_guard lock(shard.mutex);
      const auto found = shard.records.find(id);
      if (found == shard.records.end()) co_return Error(Errc::not_found);
      session = found->second.shown();
    }
    co_return partial_view(std::move(session), options);
  }

  Async<Page<SessionSummary>> do_list(ListQuery query) override {
    std::vector<SessionSummary> summaries;
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      for (const auto& [id, record] : shard.records)
        summaries.push_back(summarize(*record.session));
    }
    co_return make_page(std::move(summaries), {}, query);
  }

  Async<void> do_remove(SessionId id, RemoveOptions options) override {
    Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.records.find(id);
    if (found == shard.records.end()) co_return Error(Errc::not_found);
    const Revision revision = found->second.session->revision;
    if (auto expected = check_revision(options.if_revision(), revision); !expected)
      co_return expected.error();
    stamper_.retired(revision);
    shard.records.erase(found);
    co_return success();
  }

  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override {
    // The mutation is the user's code: it runs outside the lock, and again when another writer was faster.
    for (;;) {
      Shard& shard = shard_of(id);
      SessionPtr current;
      {
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.records.find(id);
        if (found == shard.records.end()) co_return Error(Errc::not_found);
        current = found->second.session;
      }
      if (auto expected = check_revision(options.if_revision(), current->revision); !expected) {
        co_return expected.error();
      }
      auto changed = apply_mutation(*current, mutation, capabilities().limits);
      if (!changed) co_return changed.error();
      if (*changed == nullptr) co_return Record::shown(std::move(current));
      std::shared_ptr<Session> next = std::move(*changed);
      // Made before there is anything to answer: afterwards nothing may fail.
      SessionPtr answer = Record::shown(next);

      const std::lock_guard lock(shard.mutex);
      const auto found = shard.records.find(id);
      if (found == shard.records.end()) co_return Error(Errc::not_found);
      if (found->second.session != current) continue;
      const Written written = stamper_.next(state_of(*current), *next, Times::stamp);
      next->revision = written.revision;
      next->updated_at = written.updated_at;
      found->second.session = std::move(next);
      co_return answer;
    }
  }

  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override {
    const std::string print = options.idempotency_key().empty() ? std::string() : fingerprint(messages);
    Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.records.find(id);
    if (found == shard.records.end()) co_return Error(Errc::not_found);
    Record& record = found->second;
    if (!options.idempotency_key().empty()) {
      auto known = record.appends->find(options.idempotency_key(), print);
      if (!known) co_return known.error();
      if (*known) co_return **known;
    }
    if (auto expected = check_revision(options.if_revision(), record.session->revision); !expected) {
      co_return expected.error();
    }
    if (messages.empty()) co_return current_state(*record.session);

    const std::uint64_t bytes = record.session->stored_bytes + options.measured_bytes();
    if (bytes > capabilities().limits.session_bytes) {
      co_return Error(Errc::too_large, "the session would exceed its limit");
    }
    const Written written = stamper_.next(state_of(*record.session), *record.session, Times::stamp);
    std::shared_ptr<AppendMemory> appends;
    if (!options.idempotency_key().empty()) {
      appends = std::make_shared<AppendMemory>(*record.appends);
      appends->remember(options.idempotency_key(), print, written);
    }
    Session& next = record.own();
    // All that can fail comes before the first change.
    if (next.messages.capacity() < next.messages.size() + messages.size()) {
      next.messages.reserve(std::max(2 * next.messages.size(), next.messages.size() + messages.size()));
    }
    std::move(messages.begin(), messages.end(), std::back_inserter(next.messages));
    next.revision = written.revision;
    next.updated_at = written.updated_at;
    next.stored_bytes = bytes;
    if (appends) record.appends = std::move(appends);
    co_return written;
  }

  static std::optional<Revision> revision_of(const std::optional<StoredState>& stored) {
    return stored ? std::optional(stored->revision) : std::nullopt;
  }

  static Written current_state(const Session& session) {
    Written written;
    written.revision = session.revision;
    written.created_at = session.created_at;
    written.updated_at = session.updated_at;
    return written;
  }

  const Stamper stamper_;
  std::array<Shard, 64> shards_;
};

}  // namespace

Result<std::shared_ptr<SessionStore>> make_memory_store(OpenOptions options) {
  if (options.durability().value_or(Durability::none) != Durability::none) {
    return Error(Errc::unsupported, "memory survives nothing: its only durability is none")
        .with_backend("memory");
  }
  return std::shared_ptr<SessionStore>(std::make_shared<MemoryStore>(std::move(options)));
}

Result<std::shared_ptr<SessionStore>> detail::open_memory_url(StoreUrl url, OpenOptions options) {
  UrlParameters parameters(url);
  if (auto common = parameters.apply_common(options); !common) return common.error();
  if (auto finished = parameters.finish(); !finished) return finished.error();
  if (!url.rest.empty())
    return Error(Errc::invalid_argument, "memory: takes no name; each one opened is a store of its own");
  return make_memory_store(std::move(options));
}

}  // namespace sessile
