// What a store tells of the locks its writers take.
#include "storage/advisory_lock.hpp"
#include "storage/file_system.hpp"
#include "store_scratch.hpp"

#include <sessile/blocking.hpp>
#include <sessile/open.hpp>

#include <doctest/doctest.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace sessile {

namespace {

using test::Scratch;
using test::StoreScratch;

/// Copies of the events, kept as they come. Thread-safe.
class Events {
 public:
  class Entry {
   public:
    std::string lock;
    LockEvent event;
  };
  LockObserver observer() {
    return [this](const LockEvent& event) {
      const std::lock_guard lock(mutex_);
      entries_.push_back({std::string(event.lock), event});
    };
  }
  std::vector<Entry> all() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  /// Where all had the lock.
  std::vector<Entry> in_order_of_turns() const {
    auto entries = all();
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.event.acquired < b.event.acquired; });
    return entries;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

std::shared_ptr<SessionStore> open_in(const Scratch& scratch, const std::string& scheme,
                                      LockObserver observer) {
  return open_store(scheme + ":" + scratch.path().string() + "?lock_timeout=300ms&durability=process",
                    OpenOptions().lock_observer(std::move(observer)))
      .value();
}

asio::awaitable<void> take_turns(storage::AdvisoryLock lock, int count) {
  auto work = [](storage::CommitGate&) -> Result<int> { return 1; };
  for (int i = 0; i < count; ++i) {
    const auto done = co_await lock.run_locked<int>(std::nullopt, work);
    CHECK(done.has_value());
  }
}

}  // namespace

TEST_CASE("a lock observer is told of every lock, when it was asked for, had and freed") {
  for (const std::string scheme : {"file", "jsondir"}) {
    CAPTURE(scheme);
    const StoreScratch scratch(scheme);
    Events events;
    const auto store = open_in(scratch, scheme, events.observer());
    blocking::save(*store, Session("a")).value();
    blocking::update(*store, "a", [](Session& session) { session.set_title("b"); }).value();
    blocking::append(*store, "a", {Message("user", "c")}).value();
    blocking::save(*store, Session("b")).value();
    blocking::load(*store, "a").value();
    blocking::close(*store).value();
    const auto told = events.all();
    // A reader takes none.
    REQUIRE(told.size() == 4);
    CHECK(told[0].lock == told[2].lock);
    CHECK(told[0].lock != told[3].lock);
    for (const auto& [lock, event] : told) {
      REQUIRE(event.acquired.has_value());
      CHECK(event.requested <= *event.acquired);
      CHECK(*event.acquired <= event.released);
    }
  }
}

TEST_CASE("holders of one lock, as they are told, follow one another") {
  const StoreScratch scratch;
  Events events;
  const auto store = open_in(scratch, "file", events.observer());
  blocking::save(*store, Session("a")).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&store] {
      for (int turn = 0; turn < 10; ++turn) {
        blocking::append(*store, "a", {Message("user", "x")}).value();
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  blocking::close(*store).value();
  const auto told = events.in_order_of_turns();
  REQUIRE(told.size() == 41);
  for (std::size_t i = 1; i < told.size(); ++i) {
    CHECK(told[i - 1].event.released <= *told[i].event.acquired);
  }
}

TEST_CASE(
    "who asked first is served first, as a lock observer is told, also when several threads ask at once") {
  const Scratch scratch;
  Events events;
  const storage::AdvisoryLock lock(scratch.open(), "a.lock", LockOptions().observer(events.observer()),
                                   storage::io_executor());
  constexpr int kCoroutines = 8;
  constexpr int kTurns = 500;
  asio::thread_pool threads(4);
  for (int i = 0; i < kCoroutines; ++i)
    asio::co_spawn(threads, take_turns(lock, kTurns), asio::detached);
  threads.join();
  const auto told = events.in_order_of_turns();
  REQUIRE(told.size() == kCoroutines * kTurns);
  std::size_t overtakings = 0;
  for (std::size_t i = 1; i < told.size(); ++i)
    overtakings += told[i - 1].event.requested > told[i].event.requested ? 1 : 0;
  CHECK(overtakings == 0);
}

TEST_CASE("a lock observer is told of a wait that was given up, as one without the lock") {
  const StoreScratch scratch;
  Events events;
  const auto store = open_in(scratch, "file", events.observer());
  blocking::save(*store, Session("a")).value();
  const auto told = events.all();
  REQUIRE(told.size() == 1);
  // Held by somebody outside of the store, in the way other processes do.
  const auto directory = scratch.open();
  auto held = directory->open_sidecar(told[0].lock, LockPrimitive::automatic);
  REQUIRE(held.has_value());
  REQUIRE((*held)->try_lock().has_value());
  auto refused = blocking::save(*store, Session("a"));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Errc::locked);
  // By the end of the operation.
  const auto after = events.all();
  held->reset();
  blocking::close(*store).value();
  REQUIRE(after.size() == 2);
  CHECK_FALSE(after[1].event.acquired.has_value());
  CHECK(after[1].event.released > after[1].event.requested);
}

TEST_CASE("what a lock observer throws harms nobody") {
  const StoreScratch scratch;
  const auto store = open_in(scratch, "file", [](const LockEvent&) { throw std::runtime_error("observer"); });
  CHECK(blocking::save(*store, Session("a")).has_value());
  CHECK(blocking::save(*store, Session("a")).has_value());
  blocking::close(*store).value();
}

}  // namespace sessile
