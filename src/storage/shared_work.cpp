#include "storage/shared_work.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace sessile::storage {

namespace {

constexpr std::size_t kMostThreads = 8;
/// With fewer parts for each thread, it wakes up for too little.
constexpr std::size_t kPartsForThread = 4;

/// What the threads share. It outlives the call: a helper that comes late still looks at it.
class SharedWork {
 public:
  SharedWork(std::size_t parts, const std::function<bool(std::size_t)>& part) : parts_(parts), part_(part) {}

  /// Does parts until none is left.
  void take_part() noexcept {
    for (std::size_t i = next_.fetch_add(1); i < parts_; i = next_.fetch_add(1)) {
      try {
        if (!part_(i)) stop();
      } catch (...) {
        fail(std::current_exception());
      }
    }
  }

  void help() noexcept {
    {
      const std::scoped_lock lock(mutex_);
      ++helpers_;
    }
    take_part();
    const std::scoped_lock lock(mutex_);
    --helpers_;
    helper_left_.notify_one();
  }

  /// Waits for those who help. Whoever begins to help later finds no part left: the caller has looked for one
  /// before, and parts do not come back. Throws what a part threw.
  void finish() {
    std::unique_lock lock(mutex_);
    helper_left_.wait(lock, [this] { return helpers_ == 0; });
    if (auto thrown = std::exchange(thrown_, nullptr)) std::rethrow_exception(thrown);
  }

 private:
  void stop() noexcept { next_.store(parts_); }
  void fail(std::exception_ptr thrown) noexcept {
    stop();
    const std::scoped_lock lock(mutex_);
    if (!thrown_) thrown_ = std::move(thrown);
  }

  const std::size_t parts_;
  const std::function<bool(std::size_t)>& part_;  // the caller's: for those who are counted in helpers_
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable helper_left_;
  // Guarded by mutex_:
  std::size_t helpers_ = 0;
  std::exception_ptr thrown_;
};

void invite(const asio::any_io_executor& pool, std::size_t helpers, const std::shared_ptr<SharedWork>& work) {
  try {
    for (std::size_t i = 0; i < helpers; ++i)
      asio::post(pool, [work] { work->help(); });
  } catch (const std::exception&) {
    // No memory to ask for help: those who were asked must do.
  }
}

}  // namespace

std::size_t helpers_for(std::size_t parts) noexcept {
  static const std::size_t most =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostThreads);
  return std::clamp<std::size_t>(parts / kPartsForThread, 1, most) - 1;
}

void share_out(const asio::any_io_executor& pool, std::size_t helpers, std::size_t parts,
               const std::function<bool(std::size_t)>& part) {
  const auto work = std::make_shared<SharedWork>(parts, part);
  invite(pool, helpers, work);
  work->take_part();
  work->finish();
}

}  // namespace sessile::storage
