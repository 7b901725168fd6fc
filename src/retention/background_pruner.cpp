#include <sessile/async.hpp>
#include <sessile/retention.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <mutex>
#include <utility>

namespace sessile {

namespace {

/// Wakes one waiter, once, also when the waking comes first. Thread-safe.
using Wakeup = asio::experimental::concurrent_channel<asio::any_io_executor, void(boost::system::error_code)>;

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
    auto wakeup = std::make_shared<Wakeup>(co_await asio::this_coro::executor, 1);
    if (!state->add_waiter(wakeup)) co_return success();
    auto [failure] = co_await wakeup->async_receive(asio::as_tuple(asio::use_awaitable));
    if (failure) co_return Error(Errc::cancelled).with_operation("drain");
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
    std::vector<std::shared_ptr<Wakeup>> waiters;
    {
      const std::lock_guard lock(mutex_);
      last_ = std::move(report);
      running_ = false;
      run_.reset();
      waiters.swap(waiters_);
    }
    for (const auto& waiter : waiters)
      waiter->try_send(boost::system::error_code());
  }

  bool add_waiter(std::shared_ptr<Wakeup> waiter) {
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
  std::vector<std::shared_ptr<Wakeup>> waiters_;
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
