// The threads where blocking work runs, and the one primitive that crosses over to them and back.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

namespace sessile::storage {

namespace asio = boost::asio;

/// The process-wide pool's executor: it may block. The pool starts with its first use and ends, having
/// finished what is queued, when the program does.
asio::any_io_executor io_executor();

/// Has `action` called when the program ends, before the pool waits for what is outstanding on it; at once
/// when that has begun. It must not wait for the caller.
void before_io_pool_ends(std::function<void()> action);

/// True on a thread of that pool, whatever it runs, and while any executor runs a job of run_on.
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

/// Marks the current thread as one that does the store's work: it must not wait for the store, and goes on
/// with what it defers as soon as that is done.
class IoThreadMark {
 public:
  IoThreadMark() noexcept;
  ~IoThreadMark();
  static bool is_set() noexcept;
  IoThreadMark(const IoThreadMark&) = delete;
  IoThreadMark& operator=(const IoThreadMark&) = delete;

 private:
  bool before_;
};

/// Work for a pool, and how it ended; it lives in the frame of the coroutine that waits for it.
class PoolWork {
 public:
  PoolWork() noexcept = default;
  virtual ~PoolWork() = default;
  PoolWork(const PoolWork&) = delete;
  PoolWork& operator=(const PoolWork&) = delete;

  /// Runs it, at most once and on the pool.
  virtual void run(CommitGate& gate) = 0;
  /// Destroys what it owns, on the pool too: that may block. Its result stays.
  virtual void drop() noexcept = 0;

  std::exception_ptr thrown;
};

/// Runs `work` once on `pool` and resumes on the calling coroutine's executor; `work` outlives the wait. See
/// run_on, for which this is one function, so that its way there and back is compiled once.
asio::awaitable<void> run_on_pool(asio::any_io_executor pool, PoolWork& work);

template <class Work>
class PoolWorkOf final : public PoolWork {
 public:
  using T = std::invoke_result_t<Work&, CommitGate&>;
  explicit PoolWorkOf(Work work) : work_(std::move(work)) {}
  void run(CommitGate& gate) override { value.emplace((*work_)(gate)); }
  void drop() noexcept override { work_.reset(); }
  std::optional<T> value;

 private:
  std::optional<Work> work_;
};

}  // namespace detail

/// Calls `action`, again and again where there is no memory for it: for what others would wait for in vain,
/// while nobody is there to be told.
template <class Action>
void until_there_is_memory(Action action) noexcept {
  for (;;) {
    try {
      return action();
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

namespace detail {
/// Waits for `flag`, which another thread is about to set: a moment, unless that thread is not let run.
void wait_for(const std::atomic<bool>& flag) noexcept;
}  // namespace detail

/// The way back to `home`, a caller's executor, from a thread that the caller's context does not know.
///
/// As soon as the caller has resumed it may destroy its context. So nothing of it may be left on the thread
/// by then: not the work guard (its end touches the context), nor a copy of the executor (the last one of a
/// strand does too), asio::post's own included. The guard therefore travels with what resumes the caller,
/// and that begins when the thread has let go, which takes as long as leaving go(). The context must not be
/// destroyed, by yet another thread, between go() and the resumption.
///
/// Made before the way there, where a lack of memory can still be told; on the way back it can only be waited
/// out. Movable.
template <class Executor, class Resume>
class WayHome {
 public:
  /// `resume()` is called on `home`, once. Until then the caller's context is kept at work.
  WayHome(Executor home, Resume resume)
      : journey_(std::make_shared<Journey>(std::move(home), std::move(resume))) {}

  void go() noexcept {
    const std::shared_ptr<Journey> journey = std::move(journey_);
    {
      const Executor home = *std::exchange(journey->home, std::nullopt);
      until_there_is_memory([&] { depart(home, journey); });
    }
    journey->left.store(true, std::memory_order_release);
  }

 private:
  class Journey {
   public:
    Journey(Executor home_, Resume resume_)
        : home(home_), guard(asio::make_work_guard(home_)), resume(std::move(resume_)) {}
    std::optional<Executor> home;
    std::optional<asio::executor_work_guard<Executor>> guard;
    std::optional<Resume> resume;
    std::atomic<bool> left{false};
  };

  static void depart(const Executor& home, const std::shared_ptr<Journey>& journey) {
    asio::post(home, [journey] {
      detail::wait_for(journey->left);
      // What is left of the journey may end on the other thread.
      [[maybe_unused]] const auto guard = std::exchange(journey->guard, std::nullopt);
      auto resume = std::exchange(journey->resume, std::nullopt);
      (*std::move(resume))();
    });
  }

  std::shared_ptr<Journey> journey_;
};

/// Runs `work(gate)` once on `pool` and resumes on the calling coroutine's executor with what it returned;
/// what it threw is thrown there. `work` returns a value (not void).
///
/// Cancellation (any type): closes the gate when it is still open; a work that has not begun is then not
/// begun, and the call throws operation_aborted; one that has begun sees it in the gate. The call completes
/// only when the work has ended, so `work` may refer to what the awaiting coroutine owns.
template <class Work>
asio::awaitable<std::invoke_result_t<Work&, CommitGate&>> run_on(asio::any_io_executor pool, Work work) {
  detail::PoolWorkOf<Work> there(std::move(work));
  co_await detail::run_on_pool(std::move(pool), there);
  if (there.thrown) std::rethrow_exception(there.thrown);
  co_return std::move(*there.value);
}

}  // namespace sessile::storage
