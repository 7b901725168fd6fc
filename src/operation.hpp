// The course of one operation: admission, cancellation, exceptions, the observer. Written once for all of
// them.
#pragma once

#include "storage/io_pool.hpp"
#include "store_core.hpp"

#include <sessile/async.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
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

/// Joins an operation's own cancellation with its caller's and with its timeout. Used on one strand only, but
/// for construction and timed_out after the operation ended.
class Cancellation {
 public:
  explicit Cancellation(const asio::any_io_executor& strand) : timer(strand) {}
  asio::cancellation_signal signal;
  asio::steady_timer timer;
  bool timed_out = false;
};

/// Runs in a coroutine of its own, whose cancellation state `body` may change as it likes.
template <class T>
Async<T> run_in_own_state(std::shared_ptr<Cancellation> cancellation, std::chrono::milliseconds timeout,
                          Async<T> body) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  if (timeout.count() > 0) {
    cancellation->timer.expires_after(timeout);
    cancellation->timer.async_wait([cancellation](const boost::system::error_code& stopped) {
      if (stopped) return;
      cancellation->timed_out = true;
      cancellation->signal.emit(asio::cancellation_type::total);
    });
  }
  Result<T> result;
  try {
    result = co_await std::move(body);
  } catch (...) {
    result = error_from(std::current_exception());
  }
  cancellation->timer.cancel();
  if (cancellation->timed_out && !result && result.error().code() == Errc::cancelled) {
    result = Error(Errc::timed_out);
  }
  co_return result;
}

/// Takes the handler out of the caller's slot again, however the operation ends.
class SlotGuard {
 public:
  explicit SlotGuard(asio::cancellation_slot slot) noexcept : slot_(slot) {}
  SlotGuard(const SlotGuard&) = delete;
  SlotGuard& operator=(const SlotGuard&) = delete;
  ~SlotGuard() {
    if (slot_.is_connected()) slot_.clear();
  }

 private:
  asio::cancellation_slot slot_;
};

/// Spawns `body` on a strand of the caller's executor, so that its cancellation state is its own and a
/// cancellation that arrives on another thread does not race with it.
template <class T>
Async<T> run_isolated(asio::cancellation_state callers, std::chrono::milliseconds timeout, Async<T> body) {
  const asio::any_io_executor home = co_await asio::this_coro::executor;
  const asio::any_io_executor strand = asio::make_strand(home);
  auto cancellation = std::make_shared<Cancellation>(strand);
  asio::cancellation_slot slot = callers.slot();
  const SlotGuard guard(slot);
  if (slot.is_connected()) {
    slot.assign([cancellation, strand](asio::cancellation_type) {
      asio::dispatch(strand, [cancellation] { cancellation->signal.emit(asio::cancellation_type::total); });
    });
  }
  auto own = run_in_own_state<T>(cancellation, timeout, std::move(body));
  auto token = asio::bind_cancellation_slot(cancellation->signal.slot(), asio::use_awaitable);
  Result<T> result = co_await asio::co_spawn(strand, std::move(own), token);
  co_return result;
}

/// Fills in what an implementation left out of its error.
inline Error annotated(Error error, const Call& call, const StoreCore& core) {
  if (error.operation().empty()) error.with_operation(call.operation);
  if (error.backend().empty()) error.with_backend(core.capabilities.backend);
  if (error.key().empty() && !call.key.empty()) error.with_key(call.key);
  return error;
}

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

template <class T>
void tell_observer(const StoreCore& core, const Call& call, std::chrono::steady_clock::time_point started,
                   const Result<T>& result) noexcept {
  try {
    const Error failure = result ? Error() : result.error();
    OperationEvent event;
    event.operation = call.operation;
    event.backend = core.capabilities.backend;
    event.key = call.key;
    event.duration = std::chrono::steady_clock::now() - started;
    event.bytes = bytes_of(call, result);
    event.failure = result ? nullptr : &failure;
    core.options.observer()(event);
  } catch (...) {
    // An observer's failure is not the operation's.
  }
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
