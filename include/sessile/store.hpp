// The one abstract interface: where an agent's sessions are kept.
#pragma once

#include <sessile/capabilities.hpp>
#include <sessile/mutation.hpp>
#include <sessile/open.hpp>
#include <sessile/results.hpp>
#include <sessile/verify.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <vector>

namespace sessile {

namespace detail {
class Operations;
class StoreCore;
}  // namespace detail

/// Keeps sessions. Open one with open_store, or implement one (docs/writing-a-backend.md).
///
/// For every operation:
///
/// - Object lifetimes: arguments are taken by value. A store held by a shared_ptr is kept alive by its
/// operations; any
///   other store must outlive them. Destroying the last handle blocks for nothing and loses nothing
///   acknowledged.
/// - Executor: callable from any executor, resumes on the caller's. Blocking work runs on internal threads.
/// - Cancellation: any type of cancellation (terminal, partial, total) is honoured until the commit point:
/// nothing
///   happened, `cancelled`. From the commit point on the operation finishes and reports the truth. Entered
///   when the caller's coroutine is cancelled already, it returns `cancelled` and does nothing; note that
///   Asio throws operation_aborted from such a co_await before we are reached, unless the coroutine said
///   `throw_if_cancelled(false)`. To save on the way out: `co_await
///   asio::this_coro::reset_cancellation_state(asio::disable_cancellation());` first. The caller's own
///   cancellation state is left as it was.
/// - Errors: always in the Result, bad_alloc (`unavailable`) included; nothing is thrown, but bad_alloc where
///   there is no memory for the coroutine itself, out of the call or the co_await: then nothing happened.
///   Beside those named below every operation may answer invalid_argument, cancelled, timed_out, closed,
///   unavailable, unsupported and io.
/// - Thread safety: all members but the destructor may be called from several threads at once.
/// - A store must not be used in a child process after fork without exec.
class SessionStore : public std::enable_shared_from_this<SessionStore> {
 public:
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;
  virtual ~SessionStore();

  /// Inserts or replaces the session of that id. All of it becomes as durable as asked, with what came
  /// before. Stamps updated_at = max(now, previous + 1 µs), keeps created_at, raises the revision. Errors:
  /// conflict, too_large, locked, corrupt (what is stored is not overwritten), indeterminate; a partial
  /// session: invalid_argument. What a SessionPtr points to may be kept by the store, and must never change;
  /// a session that its owner may still change is copied.
  Async<Written> save(SessionPtr session, SaveOptions options = SaveOptions());
  Async<Written> save(Session session, SaveOptions options = SaveOptions());
  Async<Written> save(std::shared_ptr<Session> session, SaveOptions options = SaveOptions());

  /// Errors: not_found, corrupt, too_large; locked, where what looks damaged could not be looked at again.
  Async<SessionPtr> load(SessionId id, LoadOptions options = LoadOptions());

  /// Summaries, in pages. A session that nobody touches appears exactly once in a walk through all pages;
  /// what cannot be read is in Page::unreadable.
  Async<Page<SessionSummary>> list(ListQuery query = ListQuery());

  /// Removes the session; its id may be used again. Errors: not_found, conflict, locked, corrupt,
  /// indeterminate.
  Async<void> remove(SessionId id, RemoveOptions options = RemoveOptions());

  /// Whole sessions of one agent, in pages (ListQuery::byte_budget bounds a page as well as
  /// ListQuery::limit). A session removed meanwhile is skipped, an unreadable one is in Page::unreadable.
  Async<AgentSessions> list_for_agent(AgentId agent, ListQuery query = ListQuery());

  /// Loads, changes and saves as one step: no concurrent update, append or save is lost, and a session
  /// removed meanwhile is not brought back. Returns the session as stored. Errors: not_found, conflict,
  /// too_large, locked, corrupt, indeterminate, and what `mutation` returned.
  Async<SessionPtr> update(SessionId id, Mutation mutation, UpdateOptions options = UpdateOptions());

  /// Adds messages to the end, all or none. Empty `messages`: checks, adds nothing. Errors: as update.
  Async<Written> append(SessionId id, std::vector<Message> messages, AppendOptions options = AppendOptions());
  Async<Written> append(SessionId id, Message message, AppendOptions options = AppendOptions());

  /// When it succeeds, everything that this store acknowledged so far is as durable as the backend can make
  /// it. Errors: indeterminate: what was written with a weaker durability may be lost with the power until it
  /// is written anew (a backend that cannot tell which, as PostgreSQL's, answers so once for all of it);
  /// locked, corrupt, where a session has to be looked at.
  Async<void> flush();

  /// Reads everything that is stored and reports what is not as it should be; with VerifyOptions::repair puts
  /// it right. May run beside other users of the place: what looks wrong is looked at again under the lock of
  /// its writers, and only then reported. A backend without a check of its own loads every session, and
  /// answers unsupported to a repair. What a repair could not do is in the report, not an error of this.
  Async<VerifyReport> verify(VerifyOptions options = VerifyOptions());

  /// Lets running operations finish; later ones fail with `closed`. Closing twice is harmless.
  Async<void> close();

  const Capabilities& capabilities() const noexcept;

  /// Where async_* completes when the token has no executor of its own.
  asio::any_io_executor get_executor() const noexcept;

  /// What the store was opened with.
  const OpenOptions& options() const noexcept;

 protected:
  /// What an implementor passes. Does no I/O.
  SessionStore(OpenOptions options, Capabilities capabilities);

  /// Correct by default on do_list and do_load; for a backend that knows a shorter way, where it does not
  /// lead to the end.
  virtual Async<AgentSessions> do_list_for_agent(AgentId agent, ListQuery query);

 private:
  // What an implementor writes. Ids, limits, UTF-8 and options have been checked; messages and sessions
  // measured; durability() is always set. Each runs in a coroutine of its own with its own cancellation
  // state: total cancellation is enabled; from the commit point on the implementation disables it with
  // `co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation())`. It runs on a strand
  // of the caller's executor. Thrown exceptions become errors. Errors need only code and detail: operation,
  // backend and key are filled in.
  virtual Async<Written> do_save(SessionPtr session, SaveOptions options) = 0;
  virtual Async<SessionPtr> do_load(SessionId id, LoadOptions options) = 0;
  virtual Async<Page<SessionSummary>> do_list(ListQuery query) = 0;
  virtual Async<void> do_remove(SessionId id, RemoveOptions options) = 0;

  // Correct by default on those four; overridden where the backend knows a shorter way. The default do_append
  // refuses idempotency keys (unsupported).
  virtual Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options);
  virtual Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options);
  virtual Async<void> do_flush();
  virtual Async<VerifyReport> do_verify(VerifyOptions options);
  virtual Async<void> do_close();

  friend class detail::Operations;
  const std::shared_ptr<detail::StoreCore> core_;
};

}  // namespace sessile
