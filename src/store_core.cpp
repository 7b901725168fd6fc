#include "store_core.hpp"

#include "storage/io_pool.hpp"

namespace sessile::detail {

StoreCore::StoreCore(OpenOptions options_, Capabilities capabilities_)
    : options(std::move(options_)),
      capabilities(std::move(capabilities_)),
      executor(options.executor() ? options.executor() : storage::io_executor()) {}

Result<StoreCore::Ticket> StoreCore::enter() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::open) return Error(Errc::closed);
  ++running_;
  return Ticket(this);
}

void StoreCore::leave() {
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) woken.swap(drain_waiters_);
  }
  for (const auto& wake : woken)
    wake();
}

bool StoreCore::begin_close() {
  const std::lock_guard lock(mutex_);
  return state_ == State::open && (state_ = State::closing, true);
}

void StoreCore::finish_close() {
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    state_ = State::closed;
    woken.swap(close_waiters_);
  }
  for (const auto& wake : woken)
    wake();
}

asio::awaitable<void> StoreCore::drained() {
  return wait(&StoreCore::drain_waiters_, &StoreCore::is_drained);
}
asio::awaitable<void> StoreCore::closed() {
  return wait(&StoreCore::close_waiters_, &StoreCore::is_closed);
}

asio::awaitable<void> StoreCore::wait(Waiters StoreCore::*list, bool (StoreCore::*ready)() const) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this, list, ready](auto handler) {
        auto home = asio::get_associated_executor(handler, executor);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        // Keeps the caller's context at work, as in run_on; taken out when it is used, since the waker may
        // outlive that context.
        auto at_work = std::make_shared<asio::any_io_executor>(
            asio::prefer(home, asio::execution::outstanding_work.tracked));
        auto wake = [shared, at_work] {
          const asio::any_io_executor back = std::move(*at_work);
          asio::post(back, [shared] { std::move (*shared)(); });
        };
        {
          const std::lock_guard lock(mutex_);
          if (!(this->*ready)()) {
            (this->*list).push_back(std::move(wake));
            return;
          }
        }
        wake();
      },
      asio::use_awaitable);
}

}  // namespace sessile::detail
