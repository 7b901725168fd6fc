// The store under test, as the behaviours call it.
#pragma once

#include <sessile/conformance.hpp>

#include <functional>
#include <future>
#include <memory>
#include <vector>

namespace sessile::conformance {

/// The operations of one store handle, in every call shape that the behaviours use.
///
/// Forwards to the store. Virtual only so that the tests of this suite can break what the public functions of
/// SessionStore enforce by themselves (ids, UTF-8, executors, cancellation), which no implementor could
/// break.
class Subject {
 public:
  explicit Subject(StorePtr store) : store_(std::move(store)) {}
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  virtual ~Subject() = default;

  Async<Written> save(Session session, SaveOptions options = SaveOptions()) {
    return save(std::make_shared<const Session>(std::move(session)), options);
  }
  Async<Written> append(SessionId id, Message message, AppendOptions options = AppendOptions()) {
    return append(std::move(id), std::vector<Message>(1, std::move(message)), std::move(options));
  }

  virtual Async<Written> save(SessionPtr session, SaveOptions options = SaveOptions());
  virtual Async<SessionPtr> load(SessionId id, LoadOptions options = LoadOptions());
  virtual Async<Page<SessionSummary>> list(ListQuery query = ListQuery());
  virtual Async<void> remove(SessionId id, RemoveOptions options = RemoveOptions());
  virtual Async<AgentSessions> list_for_agent(AgentId agent, ListQuery query = ListQuery());
  virtual Async<SessionPtr> update(SessionId id, Mutation mutation, UpdateOptions options = UpdateOptions());
  virtual Async<Written> append(SessionId id, std::vector<Message> messages,
                                AppendOptions options = AppendOptions());
  virtual Async<void> flush();
  virtual Async<void> close();

  /// async_save with a callback bound to `executor`.
  virtual void save_then(Session session, asio::any_io_executor executor,
                         std::function<void(Result<Written>)> callback);
  /// async_save with asio::use_future.
  virtual std::future<Result<Written>> save_future(Session session);
  /// async_save with asio::deferred: what is returned starts it.
  virtual std::function<std::future<Result<Written>>()> save_deferred(Session session);
  /// blocking::save and blocking::load.
  virtual Result<Written> save_blocking(Session session);
  virtual Result<SessionPtr> load_blocking(SessionId id);

  virtual const Capabilities& capabilities() const noexcept { return store_->capabilities(); }
  const StorePtr& store() const noexcept { return store_; }

 protected:
  const StorePtr store_;
};

/// Makes the Subject of a store that was opened.
using SubjectFactory = std::function<std::unique_ptr<Subject>(StorePtr)>;

}  // namespace sessile::conformance
