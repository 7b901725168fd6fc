#include "store_core.hpp"

#include "storage/io_pool.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

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
        auto resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
        using Way = storage::WayHome<decltype(home), decltype(resume)>;
        auto wake = [way = std::make_shared<Way>(std::move(home), std::move(resume))] { way->go(); };
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
