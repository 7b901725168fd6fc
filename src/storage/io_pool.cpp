#include "storage/io_pool.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace sessile::storage {

namespace {

thread_local bool io_thread = false;

/// Work here waits for the device more than it computes: more threads than cores, so that several syncs
/// overlap. The device takes as many as there are in one flush.
std::size_t pool_size() {
  return std::clamp<std::size_t>(std::size_t{8} * std::thread::hardware_concurrency(), 16, 64);
}

class Pool {
 public:
  Pool() : threads_(pool_size()) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  asio::any_io_executor executor() { return threads_.get_executor(); }
  bool runs_this_thread() const noexcept { return threads_.get_executor().running_in_this_thread(); }

  /// Called at once when the pool is ending already.
  void at_end(std::function<void()> action) {
    {
      const std::lock_guard lock(mutex_);
      if (!ending_) return endings_.push_back(std::move(action));
    }
    action();
  }
  /// Finishes what is queued: a thread_pool's own destructor drops it.
  void end() {
    std::vector<std::function<void()>> endings;
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      endings.swap(endings_);
    }
    for (const auto& action : endings)
      action();
    threads_.join();
  }

 private:
  std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<std::function<void()>> endings_;
  bool ending_ = false;

  mutable asio::thread_pool threads_;
};

class EndsPool {
 public:
  explicit EndsPool(Pool& pool) noexcept : pool_(pool) {}
  ~EndsPool() { pool_.end(); }
  EndsPool(const EndsPool&) = delete;
  EndsPool& operator=(const EndsPool&) = delete;

 private:
  Pool& pool_;
};

/// Ended with the program but never destroyed: there may be objects that live longer, a lock that is held for
/// one, and post to it.
Pool& the_pool() {
  static auto& pool = *new Pool;
  static const EndsPool ending(pool);
  return pool;
}

}  // namespace

asio::any_io_executor io_executor() {
  return the_pool().executor();
}

void before_io_pool_ends(std::function<void()> action) {
  the_pool().at_end(std::move(action));
}

bool on_io_thread() noexcept {
  return io_thread || the_pool().runs_this_thread();
}

void detail::wait_for(const std::atomic<bool>& flag) noexcept {
  // The other thread returns from the system call that woke this one. It may have been interrupted; and where
  // this one has a higher priority, yielding does not let it go on.
  for (int i = 0; !flag.load(std::memory_order_acquire); ++i) {
    if (i > 1000) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    } else if (i > 500) {
      std::this_thread::yield();
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
}

detail::IoThreadMark::IoThreadMark() noexcept : before_(std::exchange(io_thread, true)) {}
detail::IoThreadMark::~IoThreadMark() {
  io_thread = before_;
}
bool detail::IoThreadMark::is_set() noexcept {
  return io_thread;
}

namespace {

void run_marked(detail::PoolWork& work, CommitGate& gate) noexcept {
  const detail::IoThreadMark mark;
  try {
    if (gate.cancelled()) throw boost::system::system_error(asio::error::operation_aborted);
    work.run(gate);
  } catch (...) {
    work.thrown = std::current_exception();
  }
  // Before the caller goes on.
  work.drop();
}

}  // namespace

asio::awaitable<void> detail::run_on_pool(asio::any_io_executor pool, PoolWork& work) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [](auto handler, asio::any_io_executor on, PoolWork* job) {
        auto gate = std::make_shared<CommitGate>();
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
          slot.assign([gate](asio::cancellation_type) { gate->cancel(); });
        }
        auto home = asio::get_associated_executor(handler, on);
        auto resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
        WayHome way(std::move(home), std::move(resume));
        asio::post(on, [gate = std::move(gate), job, way = std::move(way)]() mutable {
          run_marked(*job, *gate);
          way.go();
        });
      },
      asio::use_awaitable, std::move(pool), &work);
}

}  // namespace sessile::storage
