#include "storage/advisory_lock.hpp"

#include "storage/lock_queue.hpp"
#include "storage/lock_request.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace sessile::storage {

namespace {

/// A LockRequest that resumes the coroutine behind `Handler`.
template <class Handler>
class HandlerRequest final : public LockRequest {
 public:
  using Home = asio::associated_executor_t<Handler, asio::any_io_executor>;

  HandlerRequest(LockTargetPtr target, Deadline deadline, LockJob job, After after, bool may_wait, Home home,
                 Handler handler)
      : LockRequest(std::move(target), deadline, std::move(job), after, may_wait),
        outcome_(std::make_shared<LockOutcome>()),
        way_(std::move(home), Resume(std::move(handler), outcome_)) {}

 private:
  class Resume {
   public:
    Resume(Handler handler, std::shared_ptr<LockOutcome> outcome)
        : handler_(std::move(handler)), outcome_(std::move(outcome)) {}
    void operator()() && { std::move(handler_)(std::move(*outcome_)); }

   private:
    Handler handler_;
    std::shared_ptr<LockOutcome> outcome_;
  };

  void complete(LockOutcome outcome) override {
    *outcome_ = std::move(outcome);
    way_.go();
  }

  const std::shared_ptr<LockOutcome> outcome_;
  WayHome<Home, Resume> way_;
};

asio::awaitable<LockOutcome> request_lock(LockTargetPtr target, Deadline deadline, LockJob job,
                                          LockRequest::After after, bool may_wait) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(LockOutcome)>(
      [](auto handler, LockTargetPtr what, Deadline until, LockJob under_lock, LockRequest::After after_it,
         bool waits) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto home = asio::get_associated_executor(handler, what->pool);
        auto request = std::make_shared<HandlerRequest<decltype(handler)>>(
            std::move(what), until, std::move(under_lock), after_it, waits, std::move(home),
            std::move(handler));
        if (slot.is_connected()) {
          slot.assign([weak = std::weak_ptr<LockRequest>(request)](asio::cancellation_type) {
            if (auto pending = weak.lock()) pending->cancel();
          });
        }
        request->start();
      },
      asio::use_awaitable, std::move(target), deadline, std::move(job), after, may_wait);
}

}  // namespace

void HeldLock::State::release(std::shared_ptr<State> state) noexcept {
  if (!state) return;
  // It ends with the state: at once where that may block, or where it cannot be posted, or is dropped.
  if (on_io_thread() || !state->tenure) return;
  const asio::any_io_executor pool = state->tenure->target->pool;
  try {
    asio::post(pool, [owned = std::move(state)]() mutable {
      const detail::IoThreadMark mark;
      owned.reset();
    });
  } catch (const std::exception&) {
    // Without memory it ends here.
  }
}

HeldLock::HeldLock(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
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

AdvisoryLock::AdvisoryLock(std::shared_ptr<Directory> directory, std::string sidecar, LockOptions options,
                           asio::any_io_executor pool)
    : target_(std::make_shared<const LockTarget>(std::move(directory), std::move(sidecar), std::move(options),
                                                 std::move(pool))) {}

Deadline AdvisoryLock::deadline(std::chrono::milliseconds operation_timeout) const {
  auto longest = target_->options.timeout();
  if (operation_timeout.count() > 0) longest = std::min(longest, operation_timeout);
  return deadline_after(longest);
}

asio::awaitable<std::optional<Error>> AdvisoryLock::obtain(Deadline deadline, LockJob job,
                                                           std::optional<HeldLock>* held) const {
  // A wait entered after the cancellation would not hear of it.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool may_wait = state.cancelled() == asio::cancellation_type::none;
  const auto after = held != nullptr ? LockRequest::After::keep : LockRequest::After::free;
  auto outcome = co_await request_lock(target_, deadline, std::move(job), after, may_wait);
  if (outcome.thrown) std::rethrow_exception(outcome.thrown);
  if (held != nullptr) *held = std::move(outcome.held);
  co_return std::move(outcome.refused);
}

Async<HeldLock> AdvisoryLock::acquire(Deadline deadline) {
  std::optional<HeldLock> held;
  auto refused = co_await obtain(deadline, LockJob(), &held);
  if (refused) co_return std::move(*refused);
  co_return std::move(*held);
}

}  // namespace sessile::storage
