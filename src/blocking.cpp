#include "storage/io_pool.hpp"

#include <sessile/blocking.hpp>
#include <sessile/wait.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

namespace sessile::blocking {

namespace detail {

bool on_thread_of_the_store() noexcept {
  return storage::on_io_thread();
}

Error could_wait_for_itself() {
  return Error(Errc::unsupported, "a blocking call from a thread of the store could wait for itself");
}

void run_to_end(asio::awaitable<void> work) {
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(work), [&failure](std::exception_ptr thrown) { failure = thrown; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace detail

namespace {

/// True on a thread of the pool that the store was given for its work.
bool on_pool_of(const SessionStore& store) {
  const asio::any_io_executor executor = store.get_executor();
  const auto* const pool = executor.target<asio::thread_pool::executor_type>();
  return pool != nullptr && pool->running_in_this_thread() && !store.capabilities().never_suspends;
}

template <class T>
Result<T> finish(const SessionStore& store, Async<T> operation) {
  if (on_pool_of(store)) return detail::could_wait_for_itself();
  return wait(std::move(operation));
}

}  // namespace

Result<Written> save(SessionStore& store, SessionPtr session, SaveOptions options) {
  return finish(store, store.save(std::move(session), options));
}
Result<Written> save(SessionStore& store, Session session, SaveOptions options) {
  return finish(store, store.save(std::move(session), options));
}
Result<Written> save(SessionStore& store, std::shared_ptr<Session> session, SaveOptions options) {
  return finish(store, store.save(std::move(session), options));
}
Result<SessionPtr> load(SessionStore& store, SessionId id, LoadOptions options) {
  return finish(store, store.load(std::move(id), options));
}
Result<Page<SessionSummary>> list(SessionStore& store, ListQuery query) {
  return finish(store, store.list(std::move(query)));
}
Result<void> remove(SessionStore& store, SessionId id, RemoveOptions options) {
  return finish(store, store.remove(std::move(id), options));
}
Result<AgentSessions> list_for_agent(SessionStore& store, AgentId agent, ListQuery query) {
  return finish(store, store.list_for_agent(std::move(agent), std::move(query)));
}
Result<SessionPtr> update(SessionStore& store, SessionId id, Mutation mutation, UpdateOptions options) {
  return finish(store, store.update(std::move(id), std::move(mutation), options));
}
Result<Written> append(SessionStore& store, SessionId id, std::vector<Message> messages,
                       AppendOptions options) {
  return finish(store, store.append(std::move(id), std::move(messages), std::move(options)));
}
Result<void> flush(SessionStore& store) {
  return finish(store, store.flush());
}
Result<VerifyReport> verify(SessionStore& store, VerifyOptions options) {
  return finish(store, store.verify(std::move(options)));
}
Result<void> close(SessionStore& store) {
  return finish(store, store.close());
}

}  // namespace sessile::blocking
