// What the lock asks of the system, and what it does when the system lacks something.
#include "scratch.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/lock_queue.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

namespace sessile::storage {

using namespace std::chrono_literals;

namespace {

using test::Holder;
using test::Program;
using test::Scratch;
using Calls = std::vector<std::string>;

/// What a directory was asked for, and what it refuses. Thread-safe.
class Journal {
 public:
  int watch_error = 0;  ///< errno of every watch
  bool has_line = true;

  void note(std::string call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
  }
  Calls calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  long count(std::string_view call) const {
    const auto all = calls();
    return std::count(all.begin(), all.end(), call);
  }

 private:
  mutable std::mutex mutex_;
  Calls calls_;
};

boost::system::error_code os_error(int number) {
  return boost::system::error_code(number, boost::system::system_category());
}

class NotedSidecar final : public Sidecar {
 public:
  NotedSidecar(std::unique_ptr<Sidecar> inner, std::shared_ptr<Journal> journal)
      : inner_(std::move(inner)), journal_(std::move(journal)) {}
  ~NotedSidecar() override { journal_->note("close"); }
  SysResult<void> try_lock() override {
    journal_->note("try");
    return inner_->try_lock();
  }
  void let_go() noexcept override { inner_->let_go(); }
  void wait_first() noexcept override { inner_->wait_first(); }
  SysResult<std::unique_ptr<Watch>> watch(WatchCallback closed) override {
    journal_->note("watch sidecar");
    if (journal_->watch_error != 0) return os_error(journal_->watch_error);
    return inner_->watch(std::move(closed));
  }

 private:
  std::unique_ptr<Sidecar> inner_;
  std::shared_ptr<Journal> journal_;
};

class NotedPlace final : public LinePlace {
 public:
  NotedPlace(std::unique_ptr<LinePlace> inner, std::shared_ptr<Journal> journal)
      : inner_(std::move(inner)), journal_(std::move(journal)) {}
  ~NotedPlace() override { journal_->note("leave line"); }
  std::int64_t first_before() override { return inner_->first_before(); }
  SysResult<std::unique_ptr<Watch>> watch(WatchCallback left) override {
    journal_->note("watch line");
    if (journal_->watch_error != 0) return os_error(journal_->watch_error);
    return inner_->watch(std::move(left));
  }

 private:
  std::unique_ptr<LinePlace> inner_;
  std::shared_ptr<Journal> journal_;
};

class NotedDirectory final : public Directory {
 public:
  NotedDirectory(std::shared_ptr<Directory> inner, std::shared_ptr<Journal> journal)
      : inner_(std::move(inner)), journal_(std::move(journal)) {}
  SysResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode) override {
    return inner_->open_file(name, mode);
  }
  SysResult<std::shared_ptr<Directory>> open_directory(const std::string& name) override {
    return inner_->open_directory(name);
  }
  SysResult<void> make_directory(const std::string& name) override { return inner_->make_directory(name); }
  SysResult<FileInfo> info(const std::string& name) override { return inner_->info(name); }
  SysResult<void> rename(const std::string& from, const std::string& to) override {
    return inner_->rename(from, to);
  }
  SysResult<void> remove(const std::string& name) override { return inner_->remove(name); }
  SysResult<std::vector<DirectoryEntry>> list() override { return inner_->list(); }
  SysResult<void> sync() override { return inner_->sync(); }
  SysResult<std::unique_ptr<LockFile>> try_lock(const std::string& name, LockPrimitive primitive) override {
    return inner_->try_lock(name, primitive);
  }
  SysResult<std::unique_ptr<Sidecar>> open_sidecar(const std::string& name,
                                                   LockPrimitive primitive) override {
    // A system without a line and wake-ups offers no more than a try.
    if (!journal_->has_line) return Directory::open_sidecar(name, primitive);
    journal_->note("open");
    auto opened = inner_->open_sidecar(name, primitive);
    if (!opened) return opened.error();
    return std::unique_ptr<Sidecar>(std::make_unique<NotedSidecar>(std::move(*opened), journal_));
  }
  SysResult<std::unique_ptr<LinePlace>> stand_in_line(const std::string& name, Arrival arrival) override {
    if (!journal_->has_line) return Directory::stand_in_line(name, arrival);
    journal_->note("stand in line");
    auto place = inner_->stand_in_line(name, arrival);
    if (!place) return place.error();
    return std::unique_ptr<LinePlace>(std::make_unique<NotedPlace>(std::move(*place), journal_));
  }
  bool anybody_in_line(const std::string& name, Arrival before) noexcept override {
    journal_->note("look at line");
    return journal_->has_line && inner_->anybody_in_line(name, before);
  }
  void ring_for_next(const std::string& name) noexcept override {
    journal_->note("ring");
    inner_->ring_for_next(name);
  }
  LockOwner lock_holder(const std::string& name) override { return inner_->lock_holder(name); }
  FileIdentity identity() const noexcept override { return inner_->identity(); }
  const std::filesystem::path& path() const noexcept override { return inner_->path(); }

 private:
  std::shared_ptr<Directory> inner_;
  std::shared_ptr<Journal> journal_;
};

AdvisoryLock noted_lock(const Scratch& scratch, std::shared_ptr<Journal> journal,
                        std::chrono::milliseconds timeout = 60s) {
  return AdvisoryLock(std::make_shared<NotedDirectory>(scratch.open(), std::move(journal)), "a.lock",
                      LockOptions().timeout(timeout), io_executor());
}

asio::awaitable<std::optional<Error>> run_locked(AdvisoryLock lock) {
  auto work = [](CommitGate&) -> Result<int> { return 1; };
  auto done = co_await lock.run_locked<int>(lock.deadline(0ms), work);
  if (done) co_return std::nullopt;
  co_return done.error();
}

asio::awaitable<void> count_turns(AdvisoryLock lock, int count, int* done) {
  for (int i = 0; i < count; ++i) {
    auto failure = co_await run_locked(lock);
    CHECK_FALSE(failure.has_value());
    ++*done;
  }
}

/// What a place in the line waits behind: the holder, and perhaps another process in the line.
class Contention {
 public:
  Contention(const Scratch& scratch, bool somebody_in_line) : holder_(scratch.path(), "a.lock", "ofd") {
    REQUIRE(holder_.holds());
    if (!somebody_in_line) return;
    waiter_.emplace(Program({SESSILE_LOCK_WAITER, scratch.path().string(), "a.lock", "ofd", "notify", "1",
                             (scratch / "log").string(), "other"}));
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (!in_line(scratch) && std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(1ms);
    REQUIRE(in_line(scratch));
  }
  static bool in_line(const Scratch& scratch) {
    return scratch.open()->anybody_in_line("a.lock", Arrival::max());
  }

 private:
  Holder holder_;
  std::optional<Program> waiter_;
};

/// The files that inotify watches for this process.
long watched_files() {
  long count = 0;
  for (const auto& name : Scratch::names("/proc/self/fdinfo")) {
    std::ifstream info("/proc/self/fdinfo/" + name);
    for (std::string line; std::getline(info, line);)
      if (line.starts_with("inotify wd:")) ++count;
  }
  return count;
}

int acquisitions(int short_form) {
  const char* long_form = std::getenv("SESSILE_LOCK_ACQUISITIONS");
  return long_form != nullptr ? std::atoi(long_form) : short_form;
}

}  // namespace

TEST_CASE("a lock that is free costs one look at the line, one open, one try, one close and one ring") {
  Scratch scratch;
  auto journal = std::make_shared<Journal>();
  CHECK_FALSE(test::run(run_locked(noted_lock(scratch, journal))).has_value());
  CHECK(journal->calls() == Calls{"look at line", "open", "try", "close", "ring"});
}

TEST_CASE("who waits behind others notices that the sidecar was replaced meanwhile") {
  Scratch scratch;
  const auto directory = scratch.open();
  auto before = directory->stand_in_line("a.lock", Arrival::clock::now()).value();
  AdvisoryLock lock(scratch.open(), "a.lock", LockOptions().timeout(60s), io_executor());
  asio::io_context context;
  std::optional<HeldLock> held;
  asio::co_spawn(context, lock.acquire(lock.deadline(0ms)),
                 [&](std::exception_ptr, Result<HeldLock> granted) {
                   if (granted) held = std::move(*granted);
                 });
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (!std::filesystem::exists(scratch / "a.lock") && std::chrono::steady_clock::now() < give_up)
    context.run_for(1ms);
  std::filesystem::remove(scratch / "a.lock");
  before.reset();
  directory->ring_for_next("a.lock");
  context.run();
  REQUIRE(held.has_value());
  CHECK(std::filesystem::exists(scratch / "a.lock"));
  CHECK_FALSE(Holder(scratch.path(), "a.lock", "ofd").holds());
}

TEST_CASE("the next coroutine of the process takes over the open lock when nobody else is in line") {
  Scratch scratch;
  auto journal = std::make_shared<Journal>();
  AdvisoryLock lock = noted_lock(scratch, journal);
  auto held = std::optional(test::run(lock.acquire(lock.deadline(0ms))).value());
  asio::io_context context;
  int done = 0;
  for (int i = 0; i < 3; ++i)
    asio::co_spawn(context, count_turns(noted_lock(scratch, journal), 1, &done), asio::detached);
  context.poll();  // all three are in the queue
  held.reset();
  context.run();
  CHECK(done == 3);
  // Once more when the first had it longer than a process may keep it.
  CHECK(journal->count("open") <= 2);
  CHECK(journal->count("open") == journal->count("close"));
}

TEST_CASE("who waits for another process sleeps until it is woken, and tries no more than it must") {
  Scratch scratch;
  auto journal = std::make_shared<Journal>();
  Holder holder(scratch.path(), "a.lock", "ofd");
  std::thread later([&] {
    std::this_thread::sleep_for(200ms);
    holder.release();
  });
  CHECK_FALSE(test::run(run_locked(noted_lock(scratch, journal))).has_value());
  later.join();
  CHECK(journal->count("open") == 1);
  CHECK(journal->count("watch sidecar") == 1);
  CHECK(journal->count("stand in line") == 1);
  CHECK(journal->count("leave line") == 1);
}

TEST_CASE("who leaves the line or lets go of the lock rings for the first in it, and for nobody else") {
  Scratch scratch;
  const auto directory = scratch.open();
  const auto now = std::chrono::steady_clock::now();
  // In another order than they came.
  auto second = directory->stand_in_line("a.lock", now + 1s).value();
  auto first = directory->stand_in_line("a.lock", now).value();
  std::atomic<int> first_rung{0};
  std::atomic<int> second_rung{0};
  const auto first_bell = first->watch([&] { ++first_rung; }).value();
  const auto second_bell = second->watch([&] { ++second_rung; }).value();
  const auto rung = [](const std::atomic<int>& count) {
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (count == 0 && std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(1ms);
    return count.load();
  };
  directory->ring_for_next("a.lock");
  CHECK(rung(first_rung) == 1);
  CHECK(second_rung == 0);
  first.reset();
  directory->ring_for_next("a.lock");
  CHECK(rung(second_rung) == 1);
  CHECK(first_rung == 1);
  second.reset();
  directory->ring_for_next("a.lock");
  directory->ring_for_next("b.lock");
  CHECK(scratch.names() == Calls{"a.lock.queue"});
}

TEST_CASE("used-up watches: the lock is waited for in line all the same") {
  for (const int error : {EMFILE, ENOSPC}) {
    Scratch scratch;
    auto journal = std::make_shared<Journal>();
    journal->watch_error = error;
    Holder holder(scratch.path(), "a.lock", "ofd");
    std::thread later([&] {
      std::this_thread::sleep_for(50ms);
      holder.release();
    });
    CHECK_FALSE(test::run(run_locked(noted_lock(scratch, journal))).has_value());
    later.join();
    CHECK(journal->count("watch sidecar") == 1);
    CHECK(journal->count("leave line") == 1);
  }
}

TEST_CASE("a system with neither line nor wake-ups: the lock is tried until it is free") {
  Scratch scratch;
  auto journal = std::make_shared<Journal>();
  journal->has_line = false;
  Holder holder(scratch.path(), "a.lock", "ofd");
  std::thread later([&] {
    std::this_thread::sleep_for(50ms);
    holder.release();
  });
  CHECK_FALSE(test::run(run_locked(noted_lock(scratch, journal))).has_value());
  later.join();
  CHECK(scratch.names() == Calls{"a.lock"});
}

TEST_CASE("P4 the deadline ends the wait for the lock's holder, and the wait for one's turn in the line") {
  for (const bool behind_another : {false, true}) {
    for (const int watch_error : {0, ENOSPC}) {
      CAPTURE(behind_another);
      CAPTURE(watch_error);
      Scratch scratch;
      const Contention contention(scratch, behind_another);
      auto journal = std::make_shared<Journal>();
      journal->watch_error = watch_error;
      const auto failure = test::run(run_locked(noted_lock(scratch, journal, 60ms)));
      REQUIRE(failure.has_value());
      CHECK(failure->code() == Errc::locked);
      // The time allowed begins a little before the wait.
      CHECK(failure->waited().value_or(0ms) >= 30ms);
      CHECK(failure->holder().has_value());
      CHECK(journal->count("stand in line") == 1);
      CHECK(journal->count("leave line") == 1);
      CHECK(journal->count("ring") == 1);
      CHECK(Contention::in_line(scratch) == behind_another);
      CHECK(watched_files() == 0);
    }
  }
  CHECK(LockQueueTable::instance().size() == 0);
}

TEST_CASE("a cancellation ends the wait for the lock's holder, and the wait for one's turn in the line") {
  for (const bool behind_another : {false, true}) {
    CAPTURE(behind_another);
    Scratch scratch;
    const Contention contention(scratch, behind_another);
    auto journal = std::make_shared<Journal>();
    asio::io_context context;
    asio::cancellation_signal signal;
    std::optional<bool> aborted;
    asio::co_spawn(context, run_locked(noted_lock(scratch, journal)),
                   asio::bind_cancellation_slot(signal.slot(),
                                                [&](std::exception_ptr thrown, const std::optional<Error>&) {
                                                  aborted = false;
                                                  try {
                                                    if (thrown) std::rethrow_exception(thrown);
                                                  } catch (const boost::system::system_error& error) {
                                                    aborted = error.code() == asio::error::operation_aborted;
                                                  }
                                                }));
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    const char* const stage = behind_another ? "watch line" : "watch sidecar";
    while (journal->count(stage) == 0 && std::chrono::steady_clock::now() < give_up)
      context.run_one_for(1ms);
    REQUIRE_FALSE(aborted.has_value());
    signal.emit(asio::cancellation_type::terminal);
    context.run();
    CHECK(aborted == true);
    CHECK(journal->count("leave line") == 1);
    CHECK(journal->count("ring") == 1);
    CHECK(Contention::in_line(scratch) == behind_another);
    CHECK(watched_files() == 0);
  }
}

TEST_CASE("a program ends when it has had the locks that it waits for at its end") {
  for (const char* waiting : {"notify", "backoff"}) {
    Scratch scratch;
    std::optional<Contention> holder(std::in_place, scratch, false);
    Program other({SESSILE_LOCK_WAITER, scratch.path().string(), "a.lock", "ofd", waiting, "3",
                   (scratch / "log").string(), "other", "leave"});
    std::this_thread::sleep_for(100ms);
    holder.reset();
    CHECK(other.wait() == 0);
    const std::string log = test::read(scratch / "log");
    CHECK(std::count(log.begin(), log.end(), '\n') == 3);
  }
}

TEST_CASE("P6 acquisitions under contention leak no descriptor, no watch and no place in the line") {
  Scratch scratch;
  auto journal = std::make_shared<Journal>();
  int done = 0;
  // Opens what stays open for good: inotify, the pool.
  {
    const Contention contention(scratch, false);
    CHECK(test::run(run_locked(noted_lock(scratch, journal, 20ms))).has_value());
  }
  // The last request lets go of the directory a moment after it has ended.
  auto before = test::open_descriptors();
  for (int look = 0; look < 100; ++look) {
    std::this_thread::sleep_for(1ms);
    before = std::min(before, test::open_descriptors());
  }
  const int each = acquisitions(3000) / 3;
  Program other({SESSILE_LOCK_WAITER, scratch.path().string(), "a.lock", "ofd", "notify",
                 std::to_string(each), (scratch / "log").string(), "other"});
  {
    const AdvisoryLock lock(scratch.open(), "a.lock", LockOptions().timeout(5min), io_executor());
    asio::io_context context;
    asio::co_spawn(context, count_turns(lock, each, &done), asio::detached);
    asio::co_spawn(context, count_turns(lock, each, &done), asio::detached);
    context.run();
  }
  CHECK(other.wait() == 0);
  CHECK(done == 2 * each);
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (test::open_descriptors() != before && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(1ms);
  CHECK(test::open_descriptors() == before);
  CHECK(watched_files() == 0);
  CHECK_FALSE(Contention::in_line(scratch));
}

}  // namespace sessile::storage
