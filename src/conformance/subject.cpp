#include "conformance/subject.hpp"

#include <sessile/async.hpp>
#include <sessile/blocking.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/use_future.hpp>

namespace sessile::conformance {

Async<Written> Subject::save(SessionPtr session, SaveOptions options) {
  return store_->save(std::move(session), options);
}
Async<SessionPtr> Subject::load(SessionId id, LoadOptions options) {
  return store_->load(std::move(id), options);
}
Async<Page<SessionSummary>> Subject::list(ListQuery query) {
  return store_->list(std::move(query));
}
Async<void> Subject::remove(SessionId id, RemoveOptions options) {
  return store_->remove(std::move(id), options);
}
Async<AgentSessions> Subject::list_for_agent(AgentId agent, ListQuery query) {
  return store_->list_for_agent(std::move(agent), std::move(query));
}
Async<SessionPtr> Subject::update(SessionId id, Mutation mutation, UpdateOptions options) {
  return store_->update(std::move(id), std::move(mutation), options);
}
Async<Written> Subject::append(SessionId id, std::vector<Message> messages, AppendOptions options) {
  return store_->append(std::move(id), std::move(messages), std::move(options));
}
Async<void> Subject::flush() {
  return store_->flush();
}
Async<void> Subject::close() {
  return store_->close();
}

void Subject::save_then(Session session, asio::any_io_executor executor,
                        std::function<void(Result<Written>)> callback) {
  async_save(store_, std::move(session), SaveOptions(),
             asio::bind_executor(std::move(executor), std::move(callback)));
}

std::future<Result<Written>> Subject::save_future(Session session) {
  return async_save(store_, std::move(session), SaveOptions(), asio::use_future);
}

std::function<std::future<Result<Written>>()> Subject::save_deferred(Session session) {
  auto operation = async_save(store_, std::move(session), SaveOptions(), asio::deferred);
  auto shared = std::make_shared<decltype(operation)>(std::move(operation));  // std::function wants copies
  return [shared] { return std::move(*shared)(asio::use_future); };
}

Result<Written> Subject::save_blocking(Session session) {
  return blocking::save(*store_, std::move(session));
}
Result<SessionPtr> Subject::load_blocking(SessionId id) {
  return blocking::load(*store_, std::move(id));
}

}  // namespace sessile::conformance
