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
  auto is_ready = [this, ready] { return (this->*ready)(); };
  return storage::wait_in(this->*list, mutex_, std::move(is_ready), executor);
}

}  // namespace sessile::detail
