// The threads where blocking work runs, and the one primitive that crosses over to them and back.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace sessile::storage {

namespace asio = boost::asio;

/// The process-wide pool's executor: it may block. The pool starts with its first use and ends, having
/// finished what is queued, when the program does.
asio::any_io_executor io_executor();

/// Has `action` called when the program ends, before the pool waits for what is outstanding on it.
void before_io_pool_ends(std::function<void()> action);

/// True on a thread of that pool, and while any executor runs a job of run_on.
bool on_io_thread() noexcept;

/// Decides between a cancellation and the commit of one piece of work: exactly one of them wins. Thread-safe.
class CommitGate {
 public:
  /// Called by the work right before its commit point. False: it was cancelled first, and must undo and stop.
  bool try_commit() noexcept {
    State expected = State::open;
    return state_.compare_exchange_strong(expected, State::committed) || expected == State::committed;
  }
  /// Called by the canceller. False: too late, the work is committed.
  bool cancel() noexcept {
    State expected = State::open;
    return state_.compare_exchange_strong(expected, State::cancelled) || expected == State::cancelled;
  }
  bool cancelled() const noexcept { return state_.load() == State::cancelled; }

 private:
  enum class State { open, cancelled, committed };
  std::atomic<State> state_{State::open};
};

namespace detail {

/// Marks the current thread as one that must not wait for the store.
class IoThreadMark {
 public:
  IoThreadMark() noexcept;
  ~IoThreadMark();
  IoThreadMark(const IoThreadMark&) = delete;
  IoThreadMark& operator=(const IoThreadMark&) = delete;

 private:
  bool before_;
};

template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr thrown;
};

}  // namespace detail

/// Posts `resume` to `home`, a caller's executor, from a thread that the caller's context does not know.
///
/// As soon as `resume` has run the caller may destroy that context. So nothing of it may be left here by
/// then: not the work guard (its end touches the context), nor a copy of the executor (the last one of a
/// strand does too), asio::post's own included. The guard therefore travels with `resume`, and `resume`
/// begins when this thread has let go, which takes as long as leaving this function.
template <class Executor>
void post_home(Executor home, asio::executor_work_guard<Executor> guard, auto resume) {
  const auto left = std::make_shared<std::latch>(1);
  asio::post(home, [resume = std::move(resume), kept = std::move(guard), left]() mutable {
    left->wait();
    std::move(resume)();
  });
  { [[maybe_unused]] const Executor last = std::move(home); }
  left->count_down();
}

/// Runs `work(gate)` once on `pool` and resumes on the calling coroutine's executor with what it returned;
/// what it threw is thrown there. `work` returns a value (not void).
///
/// Cancellation (any type): closes the gate when it is still open; a work that has not begun is then not
/// begun, and the call throws operation_aborted; one that has begun sees it in the gate. The call completes
/// only when the work has ended, so `work` may refer to what the awaiting coroutine owns.
template <class Work>
asio::awaitable<std::invoke_result_t<Work&, CommitGate&>> run_on(asio::any_io_executor pool, Work work) {
  using T = std::invoke_result_t<Work&, CommitGate&>;
  using Outcome = detail::Outcome<T>;
  auto outcome =
      co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::shared_ptr<Outcome>)>(
          [](auto handler, asio::any_io_executor on, Work job) {
            auto gate = std::make_shared<CommitGate>();
            auto slot = asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected()) {
              slot.assign([gate](asio::cancellation_type) { gate->cancel(); });
            }
            auto home = asio::get_associated_executor(handler, on);
            asio::post(on, [gate, home, guard = asio::make_work_guard(home), job = std::move(job),
                            handler = std::move(handler)]() mutable {
              auto result = std::make_shared<Outcome>();
              {
                detail::IoThreadMark mark;
                try {
                  if (gate->cancelled()) {
                    throw boost::system::system_error(asio::error::operation_aborted);
                  }
                  result->value.emplace(job(*gate));
                } catch (...) {
                  result->thrown = std::current_exception();
                }
                // Whatever the work owned dies here, on the thread that may block, before the caller goes on.
                [[maybe_unused]] Work finished = std::move(job);
              }
              post_home(std::move(home), std::move(guard),
                        [handler = std::move(handler), result = std::move(result)]() mutable {
                          std::move(handler)(std::move(result));
                        });
            });
          },
          asio::use_awaitable, std::move(pool), std::move(work));
  if (outcome->thrown) std::rethrow_exception(outcome->thrown);
  co_return std::move(*outcome->value);
}

}  // namespace sessile::storage
