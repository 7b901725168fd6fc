#include "pool.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace sessile::postgres {

using boost::system::error_code;

namespace {

asio::awaitable<bool> is_cancelled() {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

/// One that waits for a connection. `timer` is used on `strand` alone.
class Pool::Waiter {
 public:
  explicit Waiter(asio::any_io_executor strand_) : strand(std::move(strand_)), timer(strand) {}
  void wake(std::shared_ptr<Waiter> self) const {
    asio::post(strand, [self = std::move(self)] { self->timer.cancel(); });
  }
  const asio::any_io_executor strand;
  asio::steady_timer timer;
  // Protected by the pool's mutex.
  bool served = false;  // with a connection, or, when that is null, with the right to open one
  std::unique_ptr<Connection> connection;
};

/// The right to open a connection, passed on unless it was used.
class Pool::Slot {
 public:
  explicit Slot(std::shared_ptr<Pool> pool) noexcept : pool_(std::move(pool)) {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (!pool_) return;
    const std::lock_guard lock(pool_->mutex_);
    pool_->pass_on_slot();
  }
  void use() noexcept { pool_.reset(); }

 private:
  std::shared_ptr<Pool> pool_;
};

Lease& Lease::operator=(Lease&& other) noexcept {
  give_back();
  pool_ = std::move(other.pool_);
  connection_ = std::move(other.connection_);
  return *this;
}

void Lease::give_back() noexcept {
  if (connection_) pool_->release(std::move(connection_));
  pool_.reset();
}

bool Pool::take(std::unique_ptr<Connection>& connection, const std::shared_ptr<Waiter>& waiter) {
  std::vector<std::unique_ptr<Connection>> dead;  // closed after the mutex is let go
  const std::lock_guard lock(mutex_);
  while (!idle_.empty()) {
    connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->reusable()) return true;
    if (connection->lost()) ++breaks_;
    dead.push_back(std::move(connection));
    --open_;
  }
  if (open_ < size_) return ++open_, true;
  waiters_.push_back(waiter);
  return false;
}

void Pool::release(std::unique_ptr<Connection> connection) noexcept {
  const bool reusable = connection->reusable();
  std::unique_ptr<Connection> closing;
  const std::lock_guard lock(mutex_);
  if (connection->lost()) ++breaks_;
  if (!reusable || closed_) {
    closing = std::move(connection);
    pass_on_slot();
  } else if (waiters_.empty()) {
    idle_.push_back(std::move(connection));
  } else {
    const std::shared_ptr<Waiter> next = std::move(waiters_.front());
    waiters_.pop_front();
    next->served = true;
    next->connection = std::move(connection);
    next->wake(next);
  }
}

void Pool::pass_on_slot() noexcept {
  if (waiters_.empty()) {
    --open_;
    return;
  }
  const std::shared_ptr<Waiter> next = std::move(waiters_.front());
  waiters_.pop_front();
  next->served = true;
  next->wake(next);
}

asio::awaitable<bool> Pool::wait_turn(std::shared_ptr<Waiter> waiter, Clock::time_point deadline) {
  error_code woken;
  try {
    waiter->timer.expires_at(deadline);
    co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  } catch (const std::exception&) {
    leave_queue(*waiter);
    throw;
  }
  const std::lock_guard lock(mutex_);
  if (!waiter->served) std::erase(waiters_, waiter);
  co_return waiter->served;
}

void Pool::leave_queue(Waiter& waiter) noexcept {
  std::unique_ptr<Connection> unused;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiters_, [&waiter](const auto& queued) { return queued.get() == &waiter; });
    if (!waiter.served) return;
    unused = std::move(waiter.connection);
    if (!unused) pass_on_slot();
  }
  if (unused) release(std::move(unused));
}

Async<Lease> Pool::acquire(Clock::time_point deadline) {
  const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
  std::unique_ptr<Connection> connection;
  if (!take(connection, waiter)) {
    const bool served = co_await wait_turn(waiter, deadline);
    const bool cancelled = co_await is_cancelled();
    if (!served) {
      if (cancelled) co_return Error(Errc::cancelled);
      co_return Error(Errc::unavailable, "all connections of the pool stayed in use; raise pool_size");
    }
    connection = std::move(waiter->connection);
  }
  if (connection) co_return Lease(shared_from_this(), std::move(connection));
  Slot slot(shared_from_this());
  auto opened = co_await connect(deadline);
  if (opened) slot.use();
  co_return opened;
}

Async<Lease> Pool::connect(Clock::time_point deadline) {
  asio::steady_timer pause(io_);
  Failure failure;
  for (;;) {
    const Clock::time_point at = next_attempt();
    if (at > Clock::now()) {
      error_code woken;
      pause.expires_at(std::min(at, deadline));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    const bool cancelled = co_await is_cancelled();
    if (cancelled) {
      failure.cause = Failure::Cause::cancelled;
      break;
    }
    const std::size_t first = first_host();
    auto opened = co_await Connection::open(io_, target_, first);
    const bool connected = opened.connection != nullptr;
    if (connected || opened.failure.cause != Failure::Cause::cancelled) note(opened, first);
    if (connected) co_return Lease(shared_from_this(), std::move(opened.connection));
    failure = std::move(opened.failure);
    if (!failure.worth_another_connection() || Clock::now() >= deadline) break;
  }
  co_return to_error(failure);
}

Pool::Clock::time_point Pool::next_attempt() {
  const std::lock_guard lock(mutex_);
  return not_before_;
}

std::size_t Pool::first_host() {
  const std::lock_guard lock(mutex_);
  return first_host_;
}

void Pool::note(const Connection::Opened& opened, std::size_t first) {
  constexpr int kFirst = 25;
  constexpr int kLongest = 2000;
  const bool connected = opened.connection != nullptr;
  const std::lock_guard lock(mutex_);
  // Of several attempts that met the same silence at once each says the same.
  if (opened.silent) first_host_ = std::max(first_host_, first + opened.passed + 1);
  failures_ = connected ? 0 : failures_ + 1;
  if (connected) {
    not_before_ = Clock::time_point();
    return;
  }
  const int most = std::min(kLongest, kFirst << std::min(failures_, 10));
  const int pause = std::uniform_int_distribution<int>(most / 2, most)(random_);
  not_before_ = Clock::now() + std::chrono::milliseconds(pause);
}

std::uint64_t Pool::breaks() noexcept {
  const std::lock_guard lock(mutex_);
  return breaks_;
}

void Pool::close() noexcept {
  std::vector<std::unique_ptr<Connection>> closing;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  open_ -= idle_.size();
  closing.swap(idle_);
}

}  // namespace sessile::postgres
