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

/// A thread_pool's own destructor drops what is queued.
class Pool {
 public:
  Pool() : threads_(pool_size()) {}
  ~Pool() {
    for (const auto& action : endings_)
      action();
    threads_.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  asio::any_io_executor executor() { return threads_.get_executor(); }
  void at_end(std::function<void()> action) {
    const std::lock_guard lock(mutex_);
    endings_.push_back(std::move(action));
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> endings_;  // guarded by mutex_
  asio::thread_pool threads_;
};

Pool& the_pool() {
  static Pool pool;
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
  return io_thread;
}

void detail::wait_for(const std::atomic<bool>& flag) noexcept {
  // The other thread returns from the system call that woke this one.
  for (int i = 0; !flag.load(std::memory_order_acquire); ++i) {
    if (i > 500) std::this_thread::yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
}

detail::IoThreadMark::IoThreadMark() noexcept : before_(std::exchange(io_thread, true)) {}
detail::IoThreadMark::~IoThreadMark() {
  io_thread = before_;
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
