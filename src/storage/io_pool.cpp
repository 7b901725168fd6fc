#include "storage/io_pool.hpp"

#include <boost/asio/thread_pool.hpp>

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

detail::IoThreadMark::IoThreadMark() noexcept : before_(std::exchange(io_thread, true)) {}
detail::IoThreadMark::~IoThreadMark() {
  io_thread = before_;
}

}  // namespace sessile::storage
