// The kernel's locks between processes.
#include "scratch.hpp"
#include "storage/advisory_lock.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include <cerrno>
#include <thread>

namespace sessile::storage {

using namespace std::chrono_literals;

namespace {

using test::Holder;
using test::Scratch;

constexpr const char* kPrimitives[] = {"ofd", "interprocess", "flock"};

LockPrimitive primitive_of(std::string_view name) {
  if (name == "flock") return LockPrimitive::flock;
  if (name == "interprocess") return LockPrimitive::interprocess;
  return LockPrimitive::open_file_description;
}

AdvisoryLock lock_in(const Scratch& scratch, std::string_view primitive, std::chrono::milliseconds timeout) {
  return AdvisoryLock(scratch.open(), "a.lock",
                      LockOptions().primitive(primitive_of(primitive)).timeout(timeout), io_executor());
}

asio::awaitable<std::optional<Error>> acquire(AdvisoryLock lock) {
  auto held = co_await lock.acquire(lock.deadline(0ms));
  if (held) co_return std::nullopt;
  co_return held.error();
}

asio::awaitable<std::optional<Error>> run_locked(AdvisoryLock lock) {
  auto work = [](CommitGate&) -> Result<int> { return 1; };
  auto done = co_await lock.run_locked<int>(lock.deadline(0ms), work);
  if (done) co_return std::nullopt;
  co_return done.error();
}

/// Looks for the lock from another process while it is held, and after.
asio::awaitable<void> hold_and_look(const Scratch* scratch, std::string primitive) {
  auto lock = lock_in(*scratch, primitive, 60s);
  {
    auto held = co_await lock.acquire(lock.deadline(0ms));
    REQUIRE(held.has_value());
    CHECK_FALSE(test::lockable_elsewhere(scratch->path(), "a.lock", primitive));
    // Another attempt in this process must not drop what is held, as closing a descriptor would.
    for (const char* other : kPrimitives) {
      auto again = scratch->open()->try_lock("a.lock", primitive_of(other));
      REQUIRE_FALSE(again.has_value());
      CHECK(again.error().value() == EWOULDBLOCK);
    }
    CHECK_FALSE(test::lockable_elsewhere(scratch->path(), "a.lock", primitive));
    auto moved = std::move(*held);
    CHECK_FALSE(test::lockable_elsewhere(scratch->path(), "a.lock", primitive));
  }
  // Waits for the release on the pool, being the next in the queue.
  auto next = co_await lock.acquire(lock.deadline(0ms));
  CHECK(next.has_value());
}

}  // namespace

TEST_CASE("P4 a lock that another process holds beyond the deadline is locked") {
  for (const char* primitive : kPrimitives) {
    CAPTURE(primitive);
    Scratch scratch;
    Holder holder(scratch.path(), "a.lock", primitive);
    REQUIRE(holder.holds());
    for (const auto& failure : {test::run(acquire(lock_in(scratch, primitive, 40ms))),
                                test::run(run_locked(lock_in(scratch, primitive, 40ms)))}) {
      REQUIRE(failure.has_value());
      CHECK(failure->code() == Errc::locked);
      REQUIRE(failure->waited().has_value());
      CHECK(*failure->waited() >= 40ms);
      // The kernel names the owner of a POSIX record lock only.
      CHECK(failure->holder().has_value() == (std::string_view(primitive) == "interprocess"));
      if (failure->holder()) CHECK(failure->holder()->pid == holder.pid());
    }
  }
}

TEST_CASE("a waiter gets the lock when the process that holds it lets go, or is killed") {
  for (const bool killed : {false, true}) {
    for (const char* primitive : kPrimitives) {
      CAPTURE(primitive);
      Scratch scratch;
      Holder holder(scratch.path(), "a.lock", primitive);
      REQUIRE(holder.holds());
      std::thread later([&] {
        std::this_thread::sleep_for(30ms);
        killed ? holder.kill() : holder.release();
      });
      const auto failure = test::run(acquire(lock_in(scratch, primitive, 60s)));
      later.join();
      CHECK_FALSE(failure.has_value());
      CHECK(scratch.names() == std::vector<std::string>{"a.lock"});
    }
  }
}

TEST_CASE("what a process holds excludes others, and a second attempt in it does not drop the lock") {
  for (const char* primitive : kPrimitives) {
    CAPTURE(primitive);
    Scratch scratch;
    test::run(hold_and_look(&scratch, primitive));
  }
}

TEST_CASE("open file description locks and Boost.Interprocess's exclude each other; flock ignores both") {
  const auto excludes = [](const char* first, const char* second) {
    Scratch scratch;
    Holder holder(scratch.path(), "a.lock", first);
    REQUIRE(holder.holds());
    return !test::lockable_elsewhere(scratch.path(), "a.lock", second);
  };
  CHECK(excludes("ofd", "interprocess"));
  CHECK(excludes("interprocess", "ofd"));
  CHECK_FALSE(excludes("ofd", "flock"));
  CHECK_FALSE(excludes("flock", "ofd"));
  CHECK_FALSE(excludes("interprocess", "flock"));
  CHECK_FALSE(excludes("flock", "interprocess"));
}

TEST_CASE("a wait for another process can be cancelled") {
  Scratch scratch;
  Holder holder(scratch.path(), "a.lock", "ofd");
  REQUIRE(holder.holds());
  asio::io_context context;
  asio::cancellation_signal signal;
  int completions = 0;
  bool aborted = false;
  asio::co_spawn(context, acquire(lock_in(scratch, "ofd", 60s)),
                 asio::bind_cancellation_slot(signal.slot(),
                                              [&](std::exception_ptr thrown, const std::optional<Error>&) {
                                                ++completions;
                                                try {
                                                  if (thrown) std::rethrow_exception(thrown);
                                                } catch (const boost::system::system_error& error) {
                                                  aborted = error.code() == asio::error::operation_aborted;
                                                }
                                              }));
  context.run_for(50ms);
  CHECK(completions == 0);
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  CHECK(completions == 1);
  CHECK(aborted);
  holder.release();
  CHECK_FALSE(test::run(acquire(lock_in(scratch, "ofd", 60s))).has_value());
}

}  // namespace sessile::storage
