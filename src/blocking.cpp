#include "storage/io_pool.hpp"

#include <sessile/blocking.hpp>
#include <sessile/wait.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace sessile::blocking {

namespace detail {

bool on_thread_of_the_store() noexcept {
  return storage::on_io_thread();
}

void run_to_end(asio::awaitable<void> work) {
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(work), [&failure](std::exception_ptr thrown) { failure = thrown; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace detail

Result<Written> save(SessionStore& store, SessionPtr session, SaveOptions options) {
  return wait(store.save(std::move(session), options));
}
Result<Written> save(SessionStore& store, Session session, SaveOptions options) {
  return wait(store.save(std::move(session), options));
}
Result<Written> save(SessionStore& store, std::shared_ptr<Session> session, SaveOptions options) {
  return wait(store.save(std::move(session), options));
}
Result<SessionPtr> load(SessionStore& store, SessionId id, LoadOptions options) {
  return wait(store.load(std::move(id), options));
}
Result<Page<SessionSummary>> list(SessionStore& store, ListQuery query) {
  return wait(store.list(std::move(query)));
}
Result<void> remove(SessionStore& store, SessionId id, RemoveOptions options) {
  return wait(store.remove(std::move(id), options));
}
Result<AgentSessions> list_for_agent(SessionStore& store, AgentId agent, ListQuery query) {
  return wait(store.list_for_agent(std::move(agent), std::move(query)));
}
Result<SessionPtr> update(SessionStore& store, SessionId id, Mutation mutation, UpdateOptions options) {
  return wait(store.update(std::move(id), std::move(mutation), options));
}
Result<Written> append(SessionStore& store, SessionId id, std::vector<Message> messages,
                       AppendOptions options) {
  return wait(store.append(std::move(id), std::move(messages), std::move(options)));
}
Result<void> flush(SessionStore& store) {
  return wait(store.flush());
}
Result<VerifyReport> verify(SessionStore& store, VerifyOptions options) {
  return wait(store.verify(std::move(options)));
}
Result<void> close(SessionStore& store) {
  return wait(store.close());
}

}  // namespace sessile::blocking
