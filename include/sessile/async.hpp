// The operations for any completion token: callbacks, futures, deferred, coroutines of other libraries.
#pragma once

#include <sessile/store.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <vector>

namespace sessile {

namespace detail {
/// Turns what escapes a coroutine into a Result: only Asio's own throw on a cancelled co_await, and
/// bad_alloc.
Error error_from(std::exception_ptr thrown) noexcept;

/// Puts what becomes of `operation` to `into`, which outlives it. Throws nothing: so all that spawn
/// operations, of whatever result, spawn the same kind of coroutine, which is compiled once.
template <class T>
asio::awaitable<void> settle(Async<T> operation, Result<T>* into) {
  try {
    *into = co_await std::move(operation);
  } catch (...) {
    *into = error_from(std::current_exception());
  }
}

/// Of what co_spawn starts only terminal cancellation is heard, unless it says otherwise itself.
template <class T>
Async<T> hearing_all_cancellation(Async<T> operation) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await std::move(operation);
}

template <class T, class Token, class Start>
auto initiate(std::shared_ptr<SessionStore> store, Start start, Token&& token) {
  return asio::async_initiate<Token, void(Result<T>)>(
      [](auto handler, std::shared_ptr<SessionStore> kept, Start begin) {
        auto executor = asio::get_associated_executor(handler, kept->get_executor());
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto complete = [handler = std::move(handler), kept](std::exception_ptr thrown,
                                                             Result<T> result) mutable {
          if (thrown) result = error_from(thrown);
          std::move(handler)(std::move(result));
        };
        asio::co_spawn(
            executor, hearing_all_cancellation<T>(begin(*kept)),
            asio::bind_cancellation_slot(slot, asio::bind_executor(executor, std::move(complete))));
      },
      token, std::move(store), std::move(start));
}
}  // namespace detail

/// Each async_X(store, arguments…, token) is store->X(arguments…) for any completion token. Completion
/// signature: `void(Result<T>)`, called on the token's associated executor, else on store->get_executor().
/// The store is kept alive until then. The token's cancellation slot is honoured as SessionStore says.
template <class Token>
auto async_save(std::shared_ptr<SessionStore> store, SessionPtr session, SaveOptions options, Token&& token) {
  return detail::initiate<Written>(
      std::move(store),
      [session = std::move(session), options](SessionStore& s) mutable {
        return s.save(std::move(session), options);
      },
      std::forward<Token>(token));
}
template <class Token>
auto async_save(std::shared_ptr<SessionStore> store, Session session, SaveOptions options, Token&& token) {
  return async_save(std::move(store), std::make_shared<const Session>(std::move(session)), options,
                    std::forward<Token>(token));
}
template <class Token>
auto async_save(std::shared_ptr<SessionStore> store, std::shared_ptr<Session> session, SaveOptions options,
                Token&& token) {
  return async_save(std::move(store), session ? std::make_shared<const Session>(*session) : SessionPtr(),
                    options, std::forward<Token>(token));
}
template <class Token>
auto async_load(std::shared_ptr<SessionStore> store, SessionId id, LoadOptions options, Token&& token) {
  return detail::initiate<SessionPtr>(
      std::move(store),
      [id = std::move(id), options](SessionStore& s) mutable { return s.load(std::move(id), options); },
      std::forward<Token>(token));
}
template <class Token>
auto async_list(std::shared_ptr<SessionStore> store, ListQuery query, Token&& token) {
  return detail::initiate<Page<SessionSummary>>(
      std::move(store),
      [query = std::move(query)](SessionStore& s) mutable { return s.list(std::move(query)); },
      std::forward<Token>(token));
}
template <class Token>
auto async_remove(std::shared_ptr<SessionStore> store, SessionId id, RemoveOptions options, Token&& token) {
  return detail::initiate<void>(
      std::move(store),
      [id = std::move(id), options](SessionStore& s) mutable { return s.remove(std::move(id), options); },
      std::forward<Token>(token));
}
template <class Token>
auto async_list_for_agent(std::shared_ptr<SessionStore> store, AgentId agent, ListQuery query,
                          Token&& token) {
  return detail::initiate<AgentSessions>(
      std::move(store),
      [agent = std::move(agent), query = std::move(query)](SessionStore& s) mutable {
        return s.list_for_agent(std::move(agent), std::move(query));
      },
      std::forward<Token>(token));
}
template <class Token>
auto async_update(std::shared_ptr<SessionStore> store, SessionId id, Mutation mutation, UpdateOptions options,
                  Token&& token) {
  return detail::initiate<SessionPtr>(
      std::move(store),
      [id = std::move(id), mutation = std::move(mutation), options](SessionStore& s) mutable {
        return s.update(std::move(id), std::move(mutation), options);
      },
      std::forward<Token>(token));
}
template <class Token>
auto async_append(std::shared_ptr<SessionStore> store, SessionId id, std::vector<Message> messages,
                  AppendOptions options, Token&& token) {
  return detail::initiate<Written>(
      std::move(store),
      [id = std::move(id), messages = std::move(messages),
       options = std::move(options)](SessionStore& s) mutable {
        return s.append(std::move(id), std::move(messages), std::move(options));
      },
      std::forward<Token>(token));
}
template <class Token>
auto async_flush(std::shared_ptr<SessionStore> store, Token&& token) {
  return detail::initiate<void>(
      std::move(store), [](SessionStore& s) { return s.flush(); }, std::forward<Token>(token));
}
template <class Token>
auto async_verify(std::shared_ptr<SessionStore> store, VerifyOptions options, Token&& token) {
  return detail::initiate<VerifyReport>(
      std::move(store),
      [options = std::move(options)](SessionStore& s) mutable { return s.verify(std::move(options)); },
      std::forward<Token>(token));
}
template <class Token>
auto async_close(std::shared_ptr<SessionStore> store, Token&& token) {
  return detail::initiate<void>(
      std::move(store), [](SessionStore& s) { return s.close(); }, std::forward<Token>(token));
}

}  // namespace sessile
