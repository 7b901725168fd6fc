// Work that a caller shares with threads of a pool.
#include "storage/shared_work.hpp"

#include <doctest/doctest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace sessile::storage {

using namespace std::chrono_literals;

namespace {

/// Keeps the only thread of a pool busy until it is let go.
class Busy {
 public:
  explicit Busy(asio::thread_pool& pool) {
    asio::post(pool, [freed = free_.get_future().share()] { freed.wait(); });
  }
  void let_go() { free_.set_value(); }

 private:
  std::promise<void> free_;
};

/// Waits until `count` is there; false when it does not come.
bool reaches(const std::atomic<int>& value, int count) {
  for (int i = 0; i < 10'000; ++i) {
    if (value >= count) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

}  // namespace

TEST_CASE("each part is done once, however many help") {
  asio::thread_pool pool(4);
  for (const std::size_t helpers : {0u, 1u, 4u, 9u}) {
    std::vector<std::atomic<int>> done(1000);
    share_out(pool.get_executor(), helpers, done.size(), [&](std::size_t i) { return ++done[i] == 1; });
    for (const auto& count : done)
      CHECK(count == 1);
  }
  share_out(pool.get_executor(), 2, 0, [](std::size_t) -> bool { throw std::runtime_error("no such part"); });
}

TEST_CASE("the caller and its helpers work at the same time") {
  asio::thread_pool pool(2);
  std::atomic<int> there{0};
  std::atomic<bool> all{true};
  share_out(pool.get_executor(), 2, 3, [&](std::size_t) {
    ++there;
    if (!reaches(there, 3)) all = false;
    return true;
  });
  CHECK(all);
}

TEST_CASE("a part that says so is the last") {
  asio::thread_pool pool(1);
  std::vector<std::size_t> done;
  share_out(pool.get_executor(), 0, 10, [&](std::size_t i) {
    done.push_back(i);
    return i < 2;
  });
  CHECK(done == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("what a part throws is thrown, when all that had begun has ended") {
  asio::thread_pool pool(1);
  const auto home = std::this_thread::get_id();
  std::atomic<int> there{0};
  std::atomic<int> ended{0};
  const auto part = [&](std::size_t) -> bool {
    ++there;
    const bool came = reaches(there, 2);
    if (std::this_thread::get_id() == home) throw std::runtime_error("from a part");
    std::this_thread::sleep_for(50ms);
    ++ended;
    return came;
  };
  CHECK_THROWS_WITH_AS(share_out(pool.get_executor(), 1, 1000, part), "from a part", std::runtime_error);
  CHECK(ended == 1);
  CHECK(there == 2);
}

TEST_CASE("what a helper throws is thrown in the caller") {
  asio::thread_pool pool(1);
  const auto home = std::this_thread::get_id();
  std::atomic<int> there{0};
  const auto part = [&](std::size_t) -> bool {
    ++there;
    if (std::this_thread::get_id() != home) throw std::runtime_error("from a helper");
    return reaches(there, 2);
  };
  CHECK_THROWS_WITH_AS(share_out(pool.get_executor(), 1, 1000, part), "from a helper", std::runtime_error);
}

TEST_CASE("a pool that is busy is not waited for, and who comes late finds nothing to do") {
  asio::thread_pool pool(1);
  Busy busy(pool);
  std::set<std::thread::id> threads;
  {
    const std::function<bool(std::size_t)> part = [&threads](std::size_t) {
      return threads.insert(std::this_thread::get_id()), true;
    };
    share_out(pool.get_executor(), 1, 20, part);
    // A part of this call was not done: late helpers must not do it either.
    share_out(pool.get_executor(), 1, 20, [](std::size_t) { return false; });
  }
  busy.let_go();
  pool.join();
  CHECK(threads == std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST_CASE("work is shared from the pool's only thread too") {
  asio::thread_pool pool(1);
  std::atomic<int> done{0};
  asio::post(pool, [&] { share_out(pool.get_executor(), 3, 20, [&](std::size_t) { return ++done, true; }); });
  pool.join();
  CHECK(done == 20);
}

TEST_CASE("few parts are not worth any help, and many not all threads") {
  CHECK(helpers_for(0) == 0);
  CHECK(helpers_for(1) == 0);
  CHECK(helpers_for(7) == 0);
  CHECK(helpers_for(1'000'000) < 8);
  CHECK(helpers_for(1'000'000) < std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace sessile::storage
