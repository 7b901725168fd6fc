// The kernel's locks between processes.
#include "scratch.hpp"
#include "storage/advisory_lock.hpp"
#include "support/forked.hpp"

#include <sessile/time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <future>
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
    const auto before = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    Holder holder(scratch.path(), "a.lock", primitive);
    REQUIRE(holder.holds());
    for (const auto& failure : {test::run(acquire(lock_in(scratch, primitive, 40ms))),
                                test::run(run_locked(lock_in(scratch, primitive, 40ms)))}) {
      REQUIRE(failure.has_value());
      CHECK(failure->code() == Errc::locked);
      REQUIRE(failure->waited().has_value());
      // The time allowed begins a little before the wait.
      CHECK(*failure->waited() >= 20ms);
      REQUIRE(failure->holder().has_value());
      CHECK(failure->holder()->pid == holder.pid());
      CHECK_FALSE(failure->holder()->host.empty());
      const auto since = parse_time(failure->holder()->since);
      REQUIRE(since.has_value());
      CHECK(*since >= before);
      CHECK(*since <= std::chrono::system_clock::now());
    }
  }
}

TEST_CASE("P4 the deadline ends a pause that would last longer") {
  constexpr auto kPause = 10s;
  Scratch scratch;
  Holder holder(scratch.path(), "a.lock", "ofd");
  REQUIRE(holder.holds());
  AdvisoryLock lock(scratch.open(), "a.lock", LockOptions().timeout(40ms).waiting(LockWaiting::poll, kPause),
                    io_executor());
  const auto failure = test::run(acquire(lock));
  REQUIRE(failure.has_value());
  CHECK(failure->code() == Errc::locked);
  CHECK(failure->waited().value_or(kPause) < kPause);
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
      CHECK(scratch.names() == std::vector<std::string>{"a.lock", "a.lock.queue"});
      CHECK(test::mode_of(scratch / "a.lock.queue") == 0600);
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

TEST_CASE("every primitive excludes those of other processes, but a plain flock only flock") {
  const auto excludes = [](const char* first, const char* second) {
    Scratch scratch;
    Holder holder(scratch.path(), "a.lock", first);
    REQUIRE(holder.holds());
    return !test::lockable_elsewhere(scratch.path(), "a.lock", second);
  };
  for (const char* first : kPrimitives) {
    for (const char* second : kPrimitives) {
      CAPTURE(first);
      CAPTURE(second);
      CHECK(excludes(first, second));
    }
  }
  CHECK(excludes("flock", "plain-flock"));
  CHECK(excludes("plain-flock", "flock"));
  // Why a directory that is shared with such a program takes flock.
  CHECK_FALSE(excludes("ofd", "plain-flock"));
  CHECK_FALSE(excludes("plain-flock", "interprocess"));
}

TEST_CASE("who holds the lock is named only while it does") {
  Scratch scratch;
  const auto directory = scratch.open();
  CHECK(directory->lock_holder("a.lock").pid == 0);
  {
    Holder holder(scratch.path(), "a.lock", "ofd");
    CHECK(directory->lock_holder("a.lock").pid == holder.pid());
    CHECK(directory->lock_holder("b.lock").pid == 0);
  }
  CHECK(directory->lock_holder("a.lock").pid == 0);
  // Those in line have the file open as well, and no lock.
  Holder keeper(scratch.path(), "a.lock", "plain-flock", "keep");
  keeper.unlock_but_keep_open();
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (!test::lockable_elsewhere(scratch.path(), "a.lock", "plain-flock") &&
         std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(1ms);
  CHECK(directory->lock_holder("a.lock").pid == 0);
  const auto held = directory->try_lock("a.lock", LockPrimitive::automatic);
  REQUIRE(held.has_value());
  CHECK(directory->lock_holder("a.lock").pid == ::getpid());
}

TEST_CASE("a sidecar that was replaced while it was waited for is not taken for the lock") {
  for (const char* primitive : kPrimitives) {
    CAPTURE(primitive);
    Scratch scratch;
    Holder first(scratch.path(), "a.lock", primitive);
    REQUIRE(first.holds());
    auto waiter =
        std::async(std::launch::async, [&] { return test::run(acquire(lock_in(scratch, primitive, 60s))); });
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (!scratch.open()->anybody_in_line("a.lock", Arrival::max()) &&
           std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(50ms);  // it opens the sidecar when it is in line
    std::filesystem::remove(scratch / "a.lock");
    Holder second(scratch.path(), "a.lock", primitive);
    REQUIRE(second.holds());
    first.release();
    CHECK(waiter.wait_for(200ms) == std::future_status::timeout);
    second.release();
    CHECK_FALSE(waiter.get().has_value());
  }
}

TEST_CASE("a child that inherited the lock's descriptors delays nobody when its parent is killed") {
  for (const char* primitive : kPrimitives) {
    for (const char* how : {"fork", "exec"}) {
      CAPTURE(primitive);
      CAPTURE(how);
      Scratch scratch;
      Holder holder(scratch.path(), "a.lock", primitive, how);
      REQUIRE(holder.holds());
      std::thread later([&] {
        std::this_thread::sleep_for(30ms);
        holder.kill();
      });
      // The child lives until the end of `holder`.
      const auto failure = test::run(acquire(lock_in(scratch, primitive, 20s)));
      later.join();
      CHECK_FALSE(failure.has_value());
    }
  }
}

TEST_CASE("an owner that frees the lock and keeps its descriptor wakes nobody, and is noticed all the same") {
  Scratch scratch;
  Holder holder(scratch.path(), "a.lock", "plain-flock", "keep");
  REQUIRE(holder.holds());
  std::thread later([&] {
    std::this_thread::sleep_for(30ms);
    holder.unlock_but_keep_open();
  });
  const auto failure = test::run(acquire(lock_in(scratch, "flock", 20s)));
  later.join();
  CHECK_FALSE(failure.has_value());
}

TEST_CASE("the holder of a lock is named from the kernel's list where its descriptors may not be looked at") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can act as another user");
    return;
  }
  for (const LockPrimitive primitive : {LockPrimitive::interprocess, LockPrimitive::flock}) {
    Scratch scratch;
    std::filesystem::permissions(scratch.path(), std::filesystem::perms{0755});
    const auto held = scratch.open()->try_lock("a.lock", primitive).value();
    testing::Forked other([&scratch] {
      if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) return 2;
      const auto place = real_file_system()->open_directory(scratch.path());
      if (!place) return 3;
      const LockOwner owner = (*place)->lock_holder("a.lock");
      return owner.pid == ::getppid() ? 0 : 1;
    });
    CHECK(other.wait() == 0);
  }
}

TEST_CASE("every strategy of waiting gets the lock when it is let go") {
  for (const auto waiting : {LockWaiting::notify, LockWaiting::backoff, LockWaiting::poll}) {
    Scratch scratch;
    Holder holder(scratch.path(), "a.lock", "ofd");
    REQUIRE(holder.holds());
    std::thread later([&] {
      std::this_thread::sleep_for(30ms);
      holder.release();
    });
    AdvisoryLock lock(scratch.open(), "a.lock", LockOptions().timeout(20s).waiting(waiting, 5ms),
                      io_executor());
    CHECK_FALSE(test::run(acquire(lock)).has_value());
    later.join();
    // Only those who wait in line have one.
    CHECK(std::filesystem::exists(scratch / "a.lock.queue") == (waiting == LockWaiting::notify));
  }
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
