#include "storage/io_pool.hpp"

#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <thread>

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
  ~Pool() { threads_.join(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  asio::any_io_executor executor() { return threads_.get_executor(); }

 private:
  asio::thread_pool threads_;
};

}  // namespace

asio::any_io_executor io_executor() {
  static Pool pool;
  return pool.executor();
}

bool on_io_thread() noexcept {
  return io_thread;
}

detail::IoThreadMark::IoThreadMark() noexcept : before_(std::exchange(io_thread, true)) {}
detail::IoThreadMark::~IoThreadMark() {
  io_thread = before_;
}

}  // namespace sessile::storage
