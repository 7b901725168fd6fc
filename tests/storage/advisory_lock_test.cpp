// The queue within the process: order, deadlines, cancellation, and no trace left behind.
#include "storage/advisory_lock.hpp"
#include "scratch.hpp"
#include "storage/lock_alarm.hpp"
#include "storage/lock_queue.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace sessile::storage {

using namespace std::chrono_literals;

namespace {

using test::Scratch;

AdvisoryLock lock_in(std::shared_ptr<Directory> directory, std::chrono::milliseconds timeout = 60s,
                     LockPrimitive primitive = LockPrimitive::automatic) {
  return AdvisoryLock(std::move(directory), "a.lock", LockOptions().primitive(primitive).timeout(timeout),
                      io_executor());
}

asio::awaitable<void> note_turn(AdvisoryLock lock, int number, std::vector<int>* order) {
  auto held = co_await lock.acquire(lock.deadline(0ms));
  REQUIRE(held.has_value());
  order->push_back(number);
}

asio::awaitable<void> acquire_within(AdvisoryLock lock, std::chrono::milliseconds timeout,
                                     std::optional<Error>* failure, int* completions) {
  ++*completions;
  auto held = co_await lock.acquire(lock.deadline(timeout));
  if (!held) *failure = held.error();
}

/// Adds one to an int that only the lock protects.
asio::awaitable<void> add_one(AdvisoryLock lock, int* counter, std::atomic<int>* inside) {
  auto work = [counter, inside](CommitGate&) -> Result<int> {
    CHECK(inside->fetch_add(1) == 0);
    const int before = *counter;
    std::this_thread::yield();
    *counter = before + 1;
    inside->fetch_sub(1);
    return 0;
  };
  auto done = co_await lock.run_locked<int>(lock.deadline(0ms), work);
  CHECK(done.has_value());
}

asio::awaitable<void> many_times(AdvisoryLock lock, int count, int* done) {
  for (int i = 0; i < count; ++i) {
    auto work = [](CommitGate&) -> Result<int> { return 1; };
    auto one = co_await lock.run_locked<int>(lock.deadline(0ms), work);
    if (one) *done += *one;
  }
}

/// Acquires and keeps the lock until `released` expires.
asio::awaitable<void> hold(AdvisoryLock lock, asio::steady_timer* released) {
  auto held = co_await lock.acquire(lock.deadline(0ms));
  REQUIRE(held.has_value());
  boost::system::error_code ignored;
  co_await released->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

/// Works under the lock, and keeps it until `released` expires.
asio::awaitable<void> work_and_hold(AdvisoryLock lock, bool succeeds, asio::steady_timer* released,
                                    std::optional<Result<int>>* result) {
  std::optional<HeldLock> held;
  auto work = [succeeds](CommitGate&) -> Result<int> {
    if (!succeeds) return Error(Errc::not_found);
    return 7;
  };
  *result = co_await lock.run_and_keep<int>(lock.deadline(0ms), held, work);
  REQUIRE(held.has_value());
  boost::system::error_code ignored;
  co_await released->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

/// A turn may end on the pool a moment after its coroutine.
void check_that_no_queue_is_left() {
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (LockQueueTable::instance().size() != 0 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(LockQueueTable::instance().size() == 0);
}

/// Also when the holder does not wait for it yet.
void let_go(asio::steady_timer& released) {
  released.expires_at(std::chrono::steady_clock::time_point::min());
}

void poll_until(asio::io_context& context, const auto& done) {
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (!done() && std::chrono::steady_clock::now() < give_up) {
    context.run_one_for(10ms);
    context.restart();
  }
  REQUIRE(done());
}

}  // namespace

TEST_CASE("A lock that is kept after the work is the caller's until it lets go, also when the work failed") {
  for (const bool succeeds : {true, false}) {
    CAPTURE(succeeds);
    Scratch scratch;
    auto lock = lock_in(scratch.open());
    asio::io_context context;
    asio::steady_timer released(context, asio::steady_timer::time_point::max());
    std::optional<Result<int>> result;
    asio::co_spawn(context, work_and_hold(lock, succeeds, &released, &result), asio::detached);
    poll_until(context, [&] { return result.has_value(); });
    REQUIRE(result->has_value() == succeeds);
    CHECK((succeeds ? **result : 7) == 7);
    std::optional<Error> failure;
    int completions = 0;
    asio::co_spawn(context, acquire_within(lock, 20ms, &failure, &completions), asio::detached);
    poll_until(context, [&] { return failure.has_value(); });
    CHECK(failure->code() == Errc::locked);
    let_go(released);
    std::vector<int> order;
    asio::co_spawn(context, note_turn(lock, 1, &order), asio::detached);
    poll_until(context, [&] { return !order.empty(); });
    context.run();
    check_that_no_queue_is_left();
  }
}

TEST_CASE("a lock is had while a thread of the pool waits for it") {
  Scratch scratch;
  auto directory = scratch.open();
  std::promise<bool> had;
  asio::post(io_executor(), [&] {
    asio::io_context context;
    int done = 0;
    asio::co_spawn(context, many_times(lock_in(directory), 1, &done), asio::detached);
    context.run();
    had.set_value(done == 1);
  });
  auto result = had.get_future();
  REQUIRE(result.wait_for(60s) == std::future_status::ready);
  CHECK(result.get());
}

TEST_CASE("a lock whose executor ends before it could be freed there is freed all the same") {
  Scratch scratch;
  auto directory = scratch.open();
  {
    asio::thread_pool pool(1);
    AdvisoryLock lock(directory, "a.lock", LockOptions(), pool.get_executor());
    auto held = std::optional(test::run(lock.acquire(lock.deadline(0ms))).value());
    std::promise<void> go_on;
    asio::post(pool, [&] { go_on.get_future().wait(); });
    held.reset();  // queued behind that
    pool.stop();
    go_on.set_value();
  }
  int done = 0;
  test::run(many_times(lock_in(directory), 1, &done));
  CHECK(done == 1);
  check_that_no_queue_is_left();
}

TEST_CASE("an alarm that is only to be the first does not take the place of another") {
  std::promise<int> rung;
  LockAlarm alarm;
  alarm.set(std::chrono::steady_clock::now() + 20ms, [&] { rung.set_value(1); });
  alarm.set_first(std::chrono::steady_clock::now() + 1h, [] {});
  auto result = rung.get_future();
  CHECK(result.wait_for(60s) == std::future_status::ready);
}

TEST_CASE("64 coroutines get the lock in the order in which they asked") {
  Scratch scratch;
  auto lock = lock_in(scratch.open());
  asio::io_context context;
  std::vector<int> order;
  std::vector<int> expected;
  for (int i = 0; i < 64; ++i) {
    asio::co_spawn(context, note_turn(lock, i, &order), asio::detached);
    expected.push_back(i);
  }
  context.run();
  CHECK(order == expected);
  check_that_no_queue_is_left();
}

TEST_CASE("the lock excludes coroutines on several threads, whatever the primitive") {
  for (const auto primitive :
       {LockPrimitive::open_file_description, LockPrimitive::interprocess, LockPrimitive::flock}) {
    Scratch scratch;
    asio::thread_pool threads(4);
    int counter = 0;
    std::atomic<int> inside{0};
    for (int i = 0; i < 400; ++i) {
      // Two handles of one directory: they share a queue.
      auto lock = lock_in(scratch.open(), 60s, primitive);
      asio::co_spawn(threads, add_one(lock, &counter, &inside), asio::detached);
    }
    threads.join();
    CHECK(counter == 400);
    CHECK(scratch.names() == std::vector<std::string>{"a.lock"});
  }
  check_that_no_queue_is_left();
}

TEST_CASE("P4 waiting in the queue beyond the deadline is locked, and says how long it waited") {
  Scratch scratch;
  auto lock = lock_in(scratch.open());
  asio::io_context context;
  asio::steady_timer released(context, std::chrono::steady_clock::time_point::max());
  asio::co_spawn(context, hold(lock, &released), asio::detached);
  std::optional<Error> failure;
  std::optional<Error> other_failure;
  int begun = 0;
  // A deadline that is later, and known earlier.
  asio::co_spawn(context, acquire_within(lock, 20s, &other_failure, &begun), asio::detached);
  asio::co_spawn(context, acquire_within(lock, 30ms, &failure, &begun), asio::detached);
  poll_until(context, [&] { return failure.has_value(); });
  CHECK(failure->code() == Errc::locked);
  CHECK_FALSE(other_failure.has_value());
  CHECK(failure->retryable());
  REQUIRE(failure->waited().has_value());
  // The time allowed begins a little before the wait.
  CHECK(*failure->waited() >= 15ms);
  CHECK(failure->path() == (scratch / "a.lock").string());
  let_go(released);
  context.restart();
  context.run();
  CHECK_FALSE(other_failure.has_value());
}

TEST_CASE("a coroutine cancelled in the queue leaves it, and the next one gets its turn") {
  Scratch scratch;
  auto lock = lock_in(scratch.open());
  asio::io_context context;
  asio::steady_timer released(context, std::chrono::steady_clock::time_point::max());
  asio::co_spawn(context, hold(lock, &released), asio::detached);
  asio::cancellation_signal signal;
  bool aborted = false;
  int completions = 0;
  std::optional<Error> failure;
  std::vector<int> order;
  asio::co_spawn(context, acquire_within(lock, 0ms, &failure, &completions),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown) {
                   ++completions;
                   try {
                     if (thrown) std::rethrow_exception(thrown);
                   } catch (const boost::system::system_error& error) {
                     aborted = error.code() == asio::error::operation_aborted;
                   }
                 }));
  asio::co_spawn(context, note_turn(lock, 3, &order), asio::detached);
  poll_until(context, [&] { return completions == 1; });
  context.poll();
  signal.emit(asio::cancellation_type::terminal);
  poll_until(context, [&] { return aborted; });
  CHECK(order.empty());
  let_go(released);
  context.restart();
  context.run();
  CHECK(order == std::vector<int>{3});
  CHECK(completions == 2);
}

TEST_CASE("P6 100,000 acquisitions leak no descriptor and leave the sidecar") {
  Scratch scratch;
  auto lock = lock_in(scratch.open());
  int done = 0;
  test::run(many_times(lock, 10, &done));
  const auto before = test::open_descriptors();
  test::run(many_times(lock, 100000, &done));
  CHECK(done == 100010);
  CHECK(test::open_descriptors() <= before + 1);
  CHECK(scratch.names() == std::vector<std::string>{"a.lock"});
}

TEST_CASE("a lock in a directory that was removed is unavailable, not locked") {
  Scratch scratch;
  auto directory = scratch.make("gone");
  std::filesystem::remove(scratch / "gone");
  std::optional<Error> failure;
  int begun = 0;
  test::run(acquire_within(lock_in(directory), 0ms, &failure, &begun));
  REQUIRE(failure.has_value());
  CHECK(failure->code() == Errc::unavailable);
}

}  // namespace sessile::storage
