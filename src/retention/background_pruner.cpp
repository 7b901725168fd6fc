#include <sessile/async.hpp>
#include <sessile/retention.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

namespace sessile {

namespace {

/// One coroutine that waits, resumed once. Thread-safe.
class Waiter {
 public:
  enum class Outcome { woken, cancelled };
  /// Posts the coroutine's continuation to its executor.
  explicit Waiter(std::function<void(Outcome)> resume) : resume_(std::move(resume)) {}

  void resume(Outcome outcome) {
    if (done_.exchange(true)) return;
    // Not kept any longer: it holds the executor's work, and with it the program, up.
    const std::function<void(Outcome)> resume = std::exchange(resume_, nullptr);
    resume(outcome);
  }

 private:
  std::atomic<bool> done_{false};
  std::function<void(Outcome)> resume_;  // belongs to the one who set done_
};

/// Suspends until the waiter that `admit` is given is resumed; not at all when `admit` answers false.
template <class Admit>
asio::awaitable<Waiter::Outcome> wait_as(Admit admit) {
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Waiter::Outcome)>(
      [here](auto handler, Admit ask) {
        auto home = asio::get_associated_executor(handler, here);
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        auto waiter = std::make_shared<Waiter>(
            [guard = asio::make_work_guard(home), home, shared](Waiter::Outcome outcome) {
              asio::post(home, [shared, outcome] { std::move (*shared)(outcome); });
            });
        if (slot.is_connected()) {
          slot.assign([weak = std::weak_ptr(waiter)](asio::cancellation_type) {
            if (const auto waiting = weak.lock()) waiting->resume(Waiter::Outcome::cancelled);
          });
        }
        if (!ask(waiter)) waiter->resume(Waiter::Outcome::woken);
      },
      asio::use_awaitable, std::move(admit));
}

}  // namespace

/// Shared by the pruner and the prune that runs.
class BackgroundPruner::State : public std::enable_shared_from_this<State> {
 public:
  State(const StorePtr& store, BackgroundPruneOptions options)
      : store_(store), options_(std::move(options)), throttle_(options_.cooldown(), options_.clock()) {}

  static Async<Written> save(std::shared_ptr<State> state, Session session, SaveOptions options) {
    const StorePtr store = state->store_.lock();
    if (!store) co_return Error(Errc::closed, "the store is gone").with_operation("save");
    auto written = co_await store->save(std::move(session), options);
    if (written) state->start();
    co_return written;
  }

  bool start() {
    const StorePtr store = store_.lock();
    if (!store || !claim_run()) return false;
    try {
      spawn(store);
    } catch (...) {
      finish(detail::error_from(std::current_exception()));
      return false;
    }
    return true;
  }

  std::optional<Result<PruneReport>> last_report() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

  void refuse_further() {
    std::shared_ptr<Run> run;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      run = run_;
    }
    if (!run) return;
    // A signal may be emitted only where its coroutine runs; a spawned coroutine listens to terminal alone.
    asio::dispatch(run->strand, [run] { run->cancel.emit(asio::cancellation_type::terminal); });
  }

  static Async<void> wait_until_idle(std::shared_ptr<State> state) {
    auto admit = [state](std::shared_ptr<Waiter> waiter) { return state->add_waiter(std::move(waiter)); };
    const Waiter::Outcome outcome = co_await wait_as(std::move(admit));
    if (outcome == Waiter::Outcome::cancelled) co_return Error(Errc::cancelled).with_operation("drain");
    co_return success();
  }

 private:
  /// One prune that runs, and the way to cancel it.
  class Run {
   public:
    explicit Run(const asio::any_io_executor& executor) : strand(asio::make_strand(executor)) {}
    const asio::any_io_executor strand;
    asio::cancellation_signal cancel;  // used on `strand` only
  };

  bool claim_run() {
    const std::lock_guard lock(mutex_);
    if (closed_ || running_ || !throttle_.try_pass()) return false;
    return running_ = true;
  }

  void spawn(const StorePtr& store) {
    auto run = std::make_shared<Run>(store->get_executor());
    {
      const std::lock_guard lock(mutex_);
      run_ = run;
    }
    auto ended = [self = shared_from_this(), run](std::exception_ptr thrown, Result<PruneReport> report) {
      self->finish(thrown ? Result<PruneReport>(detail::error_from(thrown)) : std::move(report));
    };
    asio::co_spawn(run->strand, prune(store, options_.policy()),
                   asio::bind_cancellation_slot(run->cancel.slot(), std::move(ended)));
  }

  void finish(Result<PruneReport> report) {
    report.has_value();  // reported, and so looked at
    if (options_.on_report()) {
      try {
        options_.on_report()(report);
      } catch (...) {
        // A listener's failure is not the prune's.
      }
    }
    std::vector<std::shared_ptr<Waiter>> waiters;
    {
      const std::lock_guard lock(mutex_);
      last_ = std::move(report);
      running_ = false;
      run_.reset();
      waiters.swap(waiters_);
    }
    for (const auto& waiter : waiters)
      waiter->resume(Waiter::Outcome::woken);
  }

  bool add_waiter(std::shared_ptr<Waiter> waiter) {
    const std::lock_guard lock(mutex_);
    if (running_) waiters_.push_back(std::move(waiter));
    return running_;
  }

  // Constant after construction.
  const std::weak_ptr<SessionStore> store_;
  const BackgroundPruneOptions options_;

  mutable std::mutex mutex_;
  // Protected by mutex_.
  Throttle throttle_;
  bool closed_ = false;
  bool running_ = false;
  std::shared_ptr<Run> run_;
  std::optional<Result<PruneReport>> last_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

BackgroundPruner::BackgroundPruner(const StorePtr& store, BackgroundPruneOptions options)
    : state_(std::make_shared<State>(store, std::move(options))) {}

BackgroundPruner::~BackgroundPruner() = default;

Async<Written> BackgroundPruner::save(Session session, SaveOptions options) {
  return State::save(state_, std::move(session), options);
}

bool BackgroundPruner::notify() {
  return state_->start();
}

std::optional<Result<PruneReport>> BackgroundPruner::last_report() const {
  return state_->last_report();
}

Async<void> BackgroundPruner::drain() {
  return State::wait_until_idle(state_);
}

Async<void> BackgroundPruner::close() {
  state_->refuse_further();
  return State::wait_until_idle(state_);
}

}  // namespace sessile
