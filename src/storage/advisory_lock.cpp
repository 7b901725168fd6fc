#include "storage/advisory_lock.hpp"

#include "storage/lock_queue.hpp"
#include "storage/lock_request.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sessile::storage {

namespace {

/// A LockRequest that resumes the coroutine behind `Handler`.
template <class Handler>
class HandlerRequest final : public LockRequest {
 public:
  HandlerRequest(LockTarget target, Deadline deadline, LockJob job, bool may_wait, Handler handler)
      : LockRequest(target, deadline, std::move(job), may_wait),
        home_(asio::get_associated_executor(handler, target.pool)),
        guard_(asio::make_work_guard(home_)),
        handler_(std::move(handler)) {}

 private:
  using Home = asio::associated_executor_t<Handler, asio::any_io_executor>;

  void complete(LockOutcome outcome) override {
    post_home(std::move(home_), std::move(guard_),
              [handler = std::move(handler_), outcome = std::move(outcome)]() mutable {
                std::move(handler)(std::move(outcome));
              });
  }

  Home home_;
  asio::executor_work_guard<Home> guard_;
  Handler handler_;
};

asio::awaitable<LockOutcome> request_lock(LockTarget target, Deadline deadline, LockJob job, bool may_wait) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(LockOutcome)>(
      [](auto handler, LockTarget what, Deadline until, LockJob under_lock, bool waits) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto request = std::make_shared<HandlerRequest<decltype(handler)>>(
            std::move(what), until, std::move(under_lock), waits, std::move(handler));
        if (slot.is_connected()) {
          slot.assign([weak = std::weak_ptr<LockRequest>(request)](asio::cancellation_type) {
            if (auto pending = weak.lock()) pending->cancel();
          });
        }
        request->start();
      },
      asio::use_awaitable, std::move(target), deadline, std::move(job), may_wait);
}

}  // namespace

SidecarKey LockTarget::key() const {
  return SidecarKey(directory->identity(), sidecar);
}

std::string LockTarget::path() const {
  return (directory->path() / sidecar).string();
}

void HeldLock::State::release(std::unique_ptr<State> state) noexcept {
  if (!state) return;
  if (on_io_thread()) return Tenure::end(std::move(state->tenure));
  // Shared, so that it is still here when there is no memory to post.
  const std::shared_ptr<State> held = std::move(state);
  try {
    asio::post(held->tenure.target.pool, [held] { Tenure::end(std::move(held->tenure)); });
  } catch (const std::exception&) {
    Tenure::end(std::move(held->tenure));
  }
}

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

AdvisoryLock::AdvisoryLock(std::shared_ptr<Directory> directory, std::string sidecar, LockOptions options,
                           asio::any_io_executor pool)
    : target_(std::move(directory), std::move(sidecar), options, std::move(pool)) {}

Deadline AdvisoryLock::deadline(std::chrono::milliseconds operation_timeout) const {
  auto longest = target_.options.timeout();
  if (operation_timeout.count() > 0) longest = std::min(longest, operation_timeout);
  const auto now = LockTarget::Clock::now();
  // A timeout beyond the clock's range is none.
  const auto left = LockTarget::Clock::time_point::max() - now;
  if (longest > std::chrono::duration_cast<std::chrono::milliseconds>(left)) return std::nullopt;
  return now + longest;
}

asio::awaitable<std::optional<Error>> AdvisoryLock::obtain(Deadline deadline, LockJob job,
                                                           std::optional<HeldLock>* held) const {
  // A wait entered after the cancellation would not hear of it.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool may_wait = state.cancelled() == asio::cancellation_type::none;
  auto outcome = co_await request_lock(target_, deadline, std::move(job), may_wait);
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
