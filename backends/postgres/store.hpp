#pragma once

#include "crossing.hpp"
#include "database.hpp"
#include "rows.hpp"

#include <sessile/backend.hpp>
#include <sessile/postgres.hpp>
#include <sessile/store.hpp>

#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace sessile::postgres {

/// What the server acknowledged and need not have had on its disk. Thread-safe.
class Unflushed {
 public:
  /// `breaks`: Database::breaks() at this time.
  void note(std::uint64_t breaks) noexcept;
  class Noted {
   public:
    std::uint64_t writes = 0;
    // When the first was noted after all had been synced. Those noted during a flush keep it, for what broke
    // during the flush may have lost them: a later flush may be indeterminate once more though nothing was
    // lost.
    std::uint64_t breaks = 0;
  };
  /// What there is to be flushed; empty: nothing.
  std::optional<Noted> noted() const noexcept;
  /// That, and all before it, is on the disk. False: unless the server, which broke connections since, lost
  /// it.
  bool flushed(const Noted& noted, std::uint64_t breaks) noexcept;

 private:
  mutable std::mutex mutex_;
  // Protected by mutex_:
  Noted noted_;
  std::uint64_t synced_ = 0;  // of these
};

/// Sessions in tables. What touches the connection runs on strands of the internal executor (`…_there`),
/// mutations on the caller's.
class PostgresStore final : public SessionStore {
 public:
  PostgresStore(Target target, PostgresOptions options, std::string quoted_schema, OpenOptions open);

 private:
  Async<Written> do_save(SessionPtr session, SaveOptions options) override;
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override;
  Async<Page<SessionSummary>> do_list(ListQuery query) override;
  Async<void> do_remove(SessionId id, RemoveOptions options) override;
  Async<AgentSessions> do_list_for_agent(AgentId agent, ListQuery query) override;
  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override;
  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override;
  Async<void> do_flush() override;
  Async<void> do_close() override;

  Async<Written> save_there(SessionPtr session, SaveOptions options);
  Async<SessionPtr> load_there(SessionId id, LoadOptions options);
  Async<Page<SessionSummary>> list_there(ListQuery query);
  Async<void> remove_there(SessionId id, RemoveOptions options);
  Async<AgentSessions> list_for_agent_there(ListQuery query);
  Async<Written> append_there(SessionId id, std::vector<Message> messages, AppendOptions options);
  Async<Written> append_nothing_there(SessionId id, AppendOptions options, std::string print);
  Async<void> sync_there();
  /// One command that is a transaction by itself.
  Async<void> commit_there(Command command, Terms terms);
  /// For a write that finds what it would make: what is there was perhaps written with less durability than
  /// this one promises, and by another store. Writes the session's row as it is: a commit that is waited for.
  /// Where less than power is promised it writes nothing, and leaves what is there to the next flush.
  Async<void> settle_there(SessionId id, Terms terms);

  /// A session as it was found, and the transaction that holds it, where one does.
  class Found {
   public:
    Found() {}
    SessionPtr session;
    std::shared_ptr<OpenTransaction> held;
  };
  Async<Found> find_there(SessionId id);
  Async<Found> find_locked_there(SessionId id, Terms terms);
  /// Empty: another writer was faster.
  Async<std::optional<Written>> replace_there(Found found, SessionPtr next, Terms terms);
  Async<void> abandon_there(std::shared_ptr<OpenTransaction> held);

  /// The parameters of the statement that writes a session's row.
  std::vector<Parameter> row_parameters(const Session& session, SessionRows& rows, std::int64_t writer,
                                        std::uint64_t bytes, Times times) const;
  std::vector<Parameter> load_parameters(Parameter ids, std::int64_t last) const;

  /// Runs `work` on a strand of the internal executor.
  template <class T>
  Async<T> inside(Async<T> work) const {
    auto prepared = with_connections_state(std::move(work));
    co_return co_await run_there<T>(asio::make_strand(get_executor()), std::move(prepared));
  }
  /// Sets the cancellation state that the connection's coroutines need.
  template <class T>
  static Async<T> with_connections_state(Async<T> work) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    co_return co_await std::move(work);
  }

  std::int64_t session_limit() const noexcept;
  void note(Durability durability) noexcept;

  const std::shared_ptr<Database> database_;
  const Stamper stamper_;
  Unflushed unflushed_;
};

/// The statement of a listing, and its parameters.
class Listing {
 public:
  Statement statement;
  std::vector<Parameter> parameters;
};
/// Errors: as decode_cursor.
Result<Listing> listing_of(const ListQuery& query, const Statements& statements);

}  // namespace sessile::postgres
