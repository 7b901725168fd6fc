#include "storage/io_pool.hpp"

#include <sessile/async.hpp>
#include <sessile/blocking.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace sessile::blocking {

namespace {

template <class T>
Result<T> wait_for(Async<T> operation) {
  if (storage::on_io_thread()) {
    return Error(Errc::unsupported, "a blocking call from a thread of the store could wait for itself");
  }
  asio::io_context context(1);
  Result<T> outcome;
  asio::co_spawn(context, std::move(operation), [&outcome](std::exception_ptr thrown, Result<T> result) {
    outcome = thrown ? Result<T>(sessile::detail::error_from(thrown)) : std::move(result);
  });
  context.run();
  return outcome;
}

}  // namespace

Result<Written> save(SessionStore& store, SessionPtr session, SaveOptions options) {
  return wait_for(store.save(std::move(session), options));
}
Result<Written> save(SessionStore& store, Session session, SaveOptions options) {
  return wait_for(store.save(std::move(session), options));
}
Result<SessionPtr> load(SessionStore& store, SessionId id, LoadOptions options) {
  return wait_for(store.load(std::move(id), options));
}
Result<Page<SessionSummary>> list(SessionStore& store, ListQuery query) {
  return wait_for(store.list(std::move(query)));
}
Result<void> remove(SessionStore& store, SessionId id, RemoveOptions options) {
  return wait_for(store.remove(std::move(id), options));
}
Result<AgentSessions> list_for_agent(SessionStore& store, AgentId agent, ListQuery query) {
  return wait_for(store.list_for_agent(std::move(agent), std::move(query)));
}
Result<SessionPtr> update(SessionStore& store, SessionId id, Mutation mutation, UpdateOptions options) {
  return wait_for(store.update(std::move(id), std::move(mutation), options));
}
Result<Written> append(SessionStore& store, SessionId id, std::vector<Message> messages,
                       AppendOptions options) {
  return wait_for(store.append(std::move(id), std::move(messages), std::move(options)));
}
Result<void> flush(SessionStore& store) {
  return wait_for(store.flush());
}
Result<void> close(SessionStore& store) {
  return wait_for(store.close());
}

}  // namespace sessile::blocking
