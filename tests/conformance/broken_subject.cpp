// Calls that go wrong before or after the store: what SessionStore's public functions enforce, broken.
#include "conformance/broken_store.hpp"

#include <sessile/async.hpp>

#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cmath>
#include <thread>

namespace sessile::conformance {
namespace {

/// Resumes the coroutine on a thread of its own, whatever its executor.
asio::awaitable<void> elsewhere() {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [](auto handler) {
        std::thread([handler = std::move(handler)]() mutable { std::move(handler)(); }).detach();
      },
      asio::use_awaitable);
}

/// All texts of a session, one after another.
std::string texts_of(const Session& session) {
  std::string all =
      session.user_id + session.title + json::serialize(session.metadata) + json::serialize(session.extra);
  for (const Message& message : session.messages)
    all += message.role + json::serialize(message.content);
  for (const TrajectoryStep& step : session.trajectory)
    all += step.output_summary;
  return all;
}

bool is_finite(const Session& session) {
  const json::value* number = session.metadata.if_contains("number");
  return !number || !number->is_double() || std::isfinite(number->get_double());
}

class BrokenSubject final : public Subject {
 public:
  BrokenSubject(StorePtr store, Defect defect) : Subject(std::move(store)), defect_(std::move(defect)) {}

  Async<Written> save(SessionPtr session, SaveOptions options) override {
    return around(&BrokenSubject::plain_save, std::move(session), std::move(options));
  }
  Async<SessionPtr> load(SessionId id, LoadOptions options) override {
    return around(&BrokenSubject::plain_load, std::move(id), std::move(options));
  }
  Async<Page<SessionSummary>> list(ListQuery query) override { return broken_list(std::move(query)); }
  Async<Written> append(SessionId id, std::vector<Message> messages, AppendOptions options) override {
    return broken_append(std::move(id), std::move(messages), std::move(options));
  }
  Async<SessionPtr> update(SessionId id, Mutation mutation, UpdateOptions options) override {
    return broken_update(std::move(id), std::move(mutation), std::move(options));
  }
  Async<void> close() override {
    if (is("lifecycle.closed") || is("lifecycle.close_drains")) return nothing();
    return store_->close();
  }

  void save_then(Session session, asio::any_io_executor executor,
                 std::function<void(Result<Written>)> callback) override {
    if (is("lifecycle.handle_dropped")) {
      asio::post(executor, [weak = std::weak_ptr(store_), session, executor, callback]() mutable {
        if (const StorePtr store = weak.lock()) return Subject(store).save_then(session, executor, callback);
        callback(Error(Errc::closed));
      });
    } else if (is("executors.callback")) {
      auto elsewhere_called = [callback](Result<Written> result) {
        std::thread([callback, result] { callback(result); }).join();
      };
      Subject::save_then(std::move(session), std::move(executor), std::move(elsewhere_called));
    } else {
      Subject::save_then(std::move(session), std::move(executor), std::move(callback));
    }
  }
  std::future<Result<Written>> save_future(Session session) override {
    if (!is("executors.future")) return Subject::save_future(std::move(session));
    std::promise<Result<Written>> promise;
    promise.set_exception(std::make_exception_ptr(std::runtime_error("no Result")));
    return promise.get_future();
  }
  std::function<std::future<Result<Written>>()> save_deferred(Session session) override {
    if (!is("executors.deferred")) return Subject::save_deferred(std::move(session));
    auto started = std::make_shared<std::future<Result<Written>>>(Subject::save_future(std::move(session)));
    started->wait();
    return [started] { return std::move(*started); };
  }
  Result<SessionPtr> load_blocking(SessionId id) override {
    Result<SessionPtr> loaded = Subject::load_blocking(std::move(id));
    if (is("executors.blocking")) return loaded.value();
    return loaded;
  }

 private:
  bool is(std::string_view slug) const noexcept { return defect_.is(slug); }
  static Async<void> nothing() { co_return success(); }

  /// What goes wrong before an operation whatever it is.
  asio::awaitable<void> before() {
    if (is("cancellation.entered_cancelled")) {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
  }

  /// What goes wrong after it.
  asio::awaitable<void> after() {
    const asio::any_io_executor home = co_await asio::this_coro::executor;
    using Pool = asio::thread_pool::executor_type;
    const bool on_loop = home.target<asio::io_context::executor_type>() != nullptr;
    const bool on_pool = home.target<Pool>() != nullptr;
    const bool strays = (is("executors.on_io_context") && on_loop) || (is("executors.on_pool") && on_pool) ||
                        (is("executors.on_strand") && !on_loop && !on_pool);
    if (strays) co_await elsewhere();
    if (is("cancellation.callers_state")) {
      co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    }
  }

  bool is_foreign(const asio::any_io_executor& home) {
    if (!is("concurrency.several_executors")) return false;
    const bool on_loop = home.target<asio::io_context::executor_type>() != nullptr;
    return !on_loop && home.target<asio::thread_pool::executor_type>() == nullptr;
  }

  template <class T, class Argument, class Options>
  Async<T> around(Async<T> (BrokenSubject::*operation)(Argument, Options), Argument argument,
                  Options options) {
    co_await before();
    Result<T> result = co_await (this->*operation)(std::move(argument), std::move(options));
    co_await after();
    if (observer_threw()) result = Error(Errc::io, "the observer threw");
    co_return result;
  }

  bool observer_threw() const { return is("lifecycle.observer_throws") && store_->options().observer(); }

  /// The session as a store takes it that does not check its input as it must.
  Session accepted(Session session) const {
    const std::string id = session.id.str();
    if (is("ids.too_long")) session.id = id.substr(0, 200);
    if (is("ids.empty") && id.empty()) session.id = "empty";
    if (is("ids.nul")) session.id = id.c_str();
    if (is("ids.invalid_utf8") && !is_utf8(id)) session.id = "not-utf-8";
    if (is("ids.refused_agents")) session.agent_id = session.agent_id.str().substr(0, 200);
    if (is("limits.names")) session.user_id.resize(std::min<std::size_t>(session.user_id.size(), 1024));
    if (is("partial.cannot_be_saved")) {
      session.completeness = Completeness::whole;
      session.omitted_messages = 0;
    }
    const std::string texts = texts_of(session);
    const bool surrogates = texts.find("\xED\xA0\x80") != std::string::npos;
    const bool spoilt = (is("roundtrip.not_finite") && !is_finite(session)) ||
                        (is("encoding.lone_surrogates") && surrogates) ||
                        (is("encoding.invalid_utf8") && !surrogates && !is_utf8(texts)) ||
                        (is("encoding.shadowing_extra") && is_utf8(texts) && is_finite(session) &&
                         measure(session, Limits()).has_error());
    return spoilt ? Session(session.id) : session;
  }

  Async<Written> plain_save(SessionPtr session, SaveOptions options) {
    if (is("lifecycle.durabilities") && options.durability()) return refuse();
    if (is("lifecycle.durability_too_strong")) options.durability(store_->capabilities().max_durability);
    return store_->save(std::make_shared<const Session>(accepted(*session)), options);
  }
  static Async<Written> refuse() { co_return Error(Errc::unsupported); }
  Async<SessionPtr> plain_load(SessionId id, LoadOptions options) {
    return store_->load(std::move(id), options);
  }

  Async<Page<SessionSummary>> broken_list(ListQuery query) {
    if (is("paging.limits")) query.limit(std::clamp<std::size_t>(query.limit(), 1, kMaxPageSize));
    const bool known = query.cursor().empty() || issued_.contains(query.cursor());
    if (is("paging.survives_reopen") && !known) co_return Error(Errc::invalid_argument);
    Result<Page<SessionSummary>> page = co_await store_->list(query);
    const bool forgives = known ? is("paging.bound_to_its_filter") : is("paging.malformed_cursor");
    if (!page && !query.cursor().empty() && forgives) page = co_await store_->list(query.cursor(""));
    if (page && !page->next.empty()) issued_.insert(page->next);
    co_return page;
  }

  Async<Written> broken_append(SessionId id, std::vector<Message> messages, AppendOptions options) {
    if (is_foreign(co_await asio::this_coro::executor))
      co_return Error(Errc::io, "an executor that is not mine");
    if (is("append.key_length") && options.idempotency_key().size() > 200) {
      options.idempotency_key(options.idempotency_key().substr(0, 200));
    }
    if (is("encoding.invalid_append")) {
      for (Message& message : messages) {
        if (!is_utf8(json::serialize(message.content))) message.content = "?";
      }
    }
    Result<Written> written;
    if (is("append.all_or_nothing")) {
      for (const Message& message : messages) {
        std::vector<Message> one(1, message);
        written = co_await store_->append(id, std::move(one), options);
        if (!written) break;
      }
    } else {
      written = co_await store_->append(std::move(id), std::move(messages), std::move(options));
    }
    co_await after();
    co_return written;
  }

  Async<SessionPtr> broken_update(SessionId id, Mutation mutation, UpdateOptions options) {
    Result<SessionPtr> updated = co_await store_->update(id, mutation, options);
    if (!updated && is("encoding.invalid_update")) {
      Mutation placeholder = [](Session& session) { session.set_title("?"); };
      updated = co_await store_->update(id, std::move(placeholder), options);
    }
    co_return updated;
  }

  const Defect defect_;
  std::set<std::string> issued_;  // cursors; for defects that are tried from one thread
};

}  // namespace

std::unique_ptr<Subject> make_broken_subject(StorePtr store, Defect defect) {
  return std::make_unique<BrokenSubject>(std::move(store), std::move(defect));
}

}  // namespace sessile::conformance
