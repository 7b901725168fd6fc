#include "storage/advisory_lock.hpp"

#include "storage/lock_queue.hpp"
#include "storage/replace_file.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cerrno>
#include <random>

namespace sessile::storage {

namespace {

using Clock = std::chrono::steady_clock;

/// A Waiter that resumes the coroutine behind `Handler`.
template <class Handler>
class HandlerWaiter final : public Waiter {
 public:
  HandlerWaiter(SidecarKey key, const asio::any_io_executor& pool, Handler handler)
      : Waiter(std::move(key), pool),
        home_(asio::get_associated_executor(handler, pool)),
        guard_(asio::make_work_guard(home_)),
        handler_(std::move(handler)) {}

  void complete(WaitOutcome outcome) override {
    post_home(std::move(home_), std::move(guard_),
              [handler = std::move(handler_), outcome = std::move(outcome)]() mutable {
                std::move(handler)(std::move(outcome));
              });
  }

 private:
  using Home = asio::associated_executor_t<Handler, asio::any_io_executor>;
  Home home_;
  asio::executor_work_guard<Home> guard_;
  Handler handler_;
};

/// Waits in the queue of `key`; the deadline's timer runs on `pool`.
asio::awaitable<WaitOutcome> wait_in_queue(SidecarKey key, asio::any_io_executor pool, Deadline deadline) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(WaitOutcome)>(
      [](auto handler, SidecarKey sidecar, asio::any_io_executor on, Deadline until) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto waiter =
            std::make_shared<HandlerWaiter<decltype(handler)>>(std::move(sidecar), on, std::move(handler));
        if (slot.is_connected()) {
          slot.assign([weak = std::weak_ptr<Waiter>(waiter)](asio::cancellation_type) {
            if (auto queued = weak.lock()) {
              LockQueueTable::instance().give_up(queued, WaitEnd::cancelled);
            }
          });
        }
        LockQueueTable::instance().wait(std::move(waiter), until);
      },
      asio::use_awaitable, std::move(key), std::move(pool), deadline);
}

/// A wait entered after the cancellation would not hear of it.
asio::awaitable<void> throw_if_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

/// 0.2 ms, doubled each time up to 10 ms, less a random part, so that waiters don't try in step.
Clock::duration backoff(int attempt) {
  using namespace std::chrono_literals;
  thread_local std::minstd_rand random{std::random_device{}()};
  const Clock::duration longest = std::min<Clock::duration>(10ms, 200us * (1 << std::min(attempt, 6)));
  std::uniform_int_distribution<Clock::rep> part(longest.count() / 2, longest.count());
  return Clock::duration(part(random));
}

}  // namespace

class HeldLock::State {
 public:
  State(LockTurn turn_, LockWatch watch_, std::unique_ptr<LockFile> file_, asio::any_io_executor pool_)
      : turn(std::move(turn_)), watch(std::move(watch_)), file(std::move(file_)), pool(std::move(pool_)) {}
  LockTurn turn;
  LockWatch watch;                 // after `turn`: tells when the lock is free, before the next one has it
  std::unique_ptr<LockFile> file;  // after `turn`: freed before the next in the queue tries
  asio::any_io_executor pool;

  static void release(std::unique_ptr<State> state) noexcept {
    if (!state || on_io_thread()) return;
    auto on = state->pool;
    try {
      asio::post(on, [held = std::move(state)] {});
    } catch (const std::exception&) {
      // No memory to post: freed here, when the job's remains were destroyed.
    }
  }
};

HeldLock::HeldLock(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
HeldLock::HeldLock(HeldLock&&) noexcept = default;
HeldLock& HeldLock::operator=(HeldLock&& other) noexcept {
  if (this != &other) {
    State::release(std::move(state_));
    state_ = std::move(other.state_);
  }
  return *this;
}
HeldLock::~HeldLock() {
  State::release(std::move(state_));
}

LockTurn::LockTurn(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
LockTurn::LockTurn(LockTurn&&) noexcept = default;
LockTurn& LockTurn::operator=(LockTurn&&) noexcept = default;
LockTurn::~LockTurn() = default;

AdvisoryLock::AdvisoryLock(std::shared_ptr<Directory> directory, std::string sidecar, LockOptions options,
                           asio::any_io_executor pool)
    : directory_(std::move(directory)),
      sidecar_(std::move(sidecar)),
      options_(options),
      pool_(std::move(pool)) {}

Deadline AdvisoryLock::deadline(std::chrono::milliseconds operation_timeout) const {
  auto longest = options_.timeout();
  if (operation_timeout.count() > 0) longest = std::min(longest, operation_timeout);
  const auto now = Clock::now();
  // A timeout beyond the clock's range is none.
  if (longest > std::chrono::duration_cast<std::chrono::milliseconds>(Clock::time_point::max() - now)) {
    return std::nullopt;
  }
  return now + longest;
}

Async<LockTurn> AdvisoryLock::enter_queue(Deadline deadline) const {
  SidecarKey key(directory_->identity(), sidecar_);
  auto& table = LockQueueTable::instance();
  if (auto turn = table.try_enter(key)) co_return LockTurn(std::move(turn));
  co_await throw_if_cancelled();
  const auto since = Clock::now();
  auto outcome = co_await wait_in_queue(std::move(key), pool_, deadline);
  switch (outcome.end) {
    case WaitEnd::granted:
      co_return LockTurn(std::move(outcome.turn));
    case WaitEnd::deadline:
      co_return locked_error("other operations of this process are before it", since);
    case WaitEnd::cancelled:
      break;
  }
  throw boost::system::system_error(asio::error::operation_aborted);
}

Result<std::unique_ptr<LockFile>> AdvisoryLock::try_kernel_lock() const {
  auto lock = directory_->try_lock(sidecar_, options_.primitive());
  if (lock) return std::move(*lock);
  if (lock.error().value() == EWOULDBLOCK) return std::unique_ptr<LockFile>();
  auto error = system_error(lock.error(), "cannot lock", *directory_, sidecar_);
  // The lock makes its file: what is missing is the directory.
  if (error.code() == Errc::not_found) {
    return Error(Errc::unavailable, "the directory is gone").with_path(path()).with_cause(lock.error());
  }
  return error;
}

Async<void> AdvisoryLock::wait_for_release(const LockTurn& turn, Deadline deadline, int attempt) const {
  co_await throw_if_cancelled();
  const auto now = Clock::now();
  if (deadline && *deadline <= now) {
    const std::int64_t pid = co_await run_on(
        pool_, [this](CommitGate&) { return directory_->lock_holder(sidecar_, options_.primitive()); });
    auto error = locked_error("another process holds it", turn.state_->since);
    if (pid > 0) {
      LockHolder holder;
      holder.pid = pid;
      error.with_holder(std::move(holder));
    }
    co_return error;
  }
  const auto next = now + backoff(attempt);
  // Sleeps in a queue where nobody gives the turn (no sidecar has a slash in its name). A timer of Asio's
  // would keep a copy of the caller's executor on the pool for a moment after it has resumed the caller: see
  // post_home.
  const SidecarKey key(directory_->identity(), sidecar_ + "/");
  const auto nobodys = LockQueueTable::instance().try_enter(key);
  const auto outcome = co_await wait_in_queue(key, pool_, deadline ? std::min(*deadline, next) : next);
  if (outcome.end == WaitEnd::cancelled) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return success();
}

Async<HeldLock> AdvisoryLock::acquire(Deadline deadline) {
  LockWatch watch(options_.observer(), sidecar_);
  auto turn = co_await enter_queue(deadline);
  if (!turn) co_return turn.error();
  for (int attempt = 0;; ++attempt) {
    auto lock = co_await run_on(pool_, [this](CommitGate&) { return try_kernel_lock(); });
    if (!lock) co_return lock.error();
    if (*lock) {
      watch.acquired();
      co_return HeldLock(
          std::make_unique<HeldLock::State>(std::move(*turn), std::move(watch), std::move(*lock), pool_));
    }
    auto waited = co_await wait_for_release(*turn, deadline, attempt);
    if (!waited) co_return waited.error();
  }
}

std::string AdvisoryLock::path() const {
  return (directory_->path() / sidecar_).string();
}

Error AdvisoryLock::locked_error(std::string_view what, Clock::time_point since) const {
  return Error(Errc::locked, what)
      .with_path(path())
      .with_waited(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since));
}

}  // namespace sessile::storage
