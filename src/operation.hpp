// The course of one operation: admission, cancellation, exceptions, the observer. Written once for all of
// them.
#pragma once

#include "storage/io_pool.hpp"
#include "store_core.hpp"

#include <sessile/async.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sessile::detail {

/// What is known of an operation before it runs.
class Call {
 public:
  explicit Call(std::string_view name) : operation(name) {}
  std::string_view operation;  // a literal
  std::string key;
  std::chrono::milliseconds timeout{0};
  std::uint64_t bytes = 0;
  bool writes = false;
  std::optional<Error> refusal;  // what the checks of the arguments found
};

/// Spawns `body`, which throws nothing, on a strand of the caller's executor, so that its cancellation state
/// is its own, to change as it likes, and a cancellation that arrives on another thread does not race with
/// it. Cancellation and `timeout` (0: none) reach it as a total cancellation. True: the timeout did, before
/// `body` ended.
asio::awaitable<bool> isolate(asio::cancellation_state callers, std::chrono::milliseconds timeout,
                              asio::awaitable<void> body);

/// Runs `body` with a cancellation state of its own, and within `timeout`.
template <class T>
Async<T> run_isolated(asio::cancellation_state callers, std::chrono::milliseconds timeout, Async<T> body) {
  Result<T> result;
  auto settled = settle(std::move(body), &result);
  const bool timed_out = co_await isolate(callers, timeout, std::move(settled));
  if (timed_out && !result && result.error().code() == Errc::cancelled) result = Error(Errc::timed_out);
  co_return result;
}

/// Fills in what an implementation left out of its error.
Error annotated(Error error, const Call& call, const StoreCore& core);

inline std::uint64_t bytes_of(const Call& call, const Result<SessionPtr>& result) {
  return result ? (*result)->stored_bytes : call.bytes;
}
inline std::uint64_t bytes_of(const Call&, const Result<AgentSessions>& result) {
  std::uint64_t sum = 0;
  if (result) {
    for (const SessionPtr& session : result->items)
      sum += session->stored_bytes;
  }
  return sum;
}
template <class T>
std::uint64_t bytes_of(const Call& call, const Result<T>&) {
  return call.bytes;
}

/// `failure`: null: it succeeded.
void tell_observer(const StoreCore& core, const Call& call, std::chrono::steady_clock::time_point started,
                   std::uint64_t bytes, const Error* failure) noexcept;

template <class T>
void tell_observer(const StoreCore& core, const Call& call, std::chrono::steady_clock::time_point started,
                   const Result<T>& result) noexcept {
  if (result) return tell_observer(core, call, started, bytes_of(call, result), nullptr);
  const Error failure = result.error();
  tell_observer(core, call, started, call.bytes, &failure);
}

/// Runs one operation from admission to its result. `start` returns the coroutine that does the work and is
/// called at most once. `keep` holds the store, and with it the core, where it is held by a shared_ptr.
template <class T, class Start>
Async<T> run_operation(std::shared_ptr<StoreCore> core, [[maybe_unused]] std::shared_ptr<SessionStore> keep,
                       Call call, Start start) {
  const bool observed = static_cast<bool>(core->options.observer());
  const auto started = observed ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
  Result<T> result;
  auto ticket = core->enter();
  if (!ticket) {
    result = ticket.error();
  } else if (call.refusal) {
    result = *call.refusal;
  } else if (call.writes && core->options.access() == Access::read_only) {
    result = Error(Errc::unsupported, "the store was opened read-only");
  } else {
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    try {
      if (state.cancelled() != asio::cancellation_type::none) {
        result = Error(Errc::cancelled);
      } else if (core->capabilities.never_suspends) {
        result = co_await start(call);
      } else {
        result = co_await run_isolated<T>(state, call.timeout, start(call));
      }
    } catch (...) {
      result = error_from(std::current_exception());
    }
  }
  if (!result) result = annotated(result.error(), call, *core);
  if (observed) tell_observer(*core, call, started, result);
  co_return result;
}

}  // namespace sessile::detail
