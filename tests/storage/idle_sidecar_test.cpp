// Sidecars that stay open between two locks.
#include "scratch.hpp"

#include "storage/advisory_lock.hpp"
#include "storage/idle_sidecars.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>

using namespace sessile;
using namespace sessile::storage;
using test::Scratch;
using namespace std::chrono_literals;

namespace {

/// How many descriptors of files below `place` this process has open, those of directories not counted.
int open_files_in(const std::filesystem::path& place) {
  int count = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const std::string target = std::filesystem::read_symlink(entry, gone).string();
    count += !gone && target.starts_with(place.string() + "/");
  }
  return count;
}

asio::awaitable<bool> lock_once(std::shared_ptr<Directory> directory, std::string name) {
  AdvisoryLock lock(std::move(directory), std::move(name), LockOptions(), io_executor());
  auto work = [](CommitGate&) -> Result<int> { return 1; };
  auto done = co_await lock.run_locked<int>(lock.deadline(10s), work);
  co_return done.has_value();
}

/// Holds the lock until `go`.
asio::awaitable<bool> lock_and_wait(std::shared_ptr<AdvisoryLock> lock, std::promise<void>* held,
                                    std::future<void> go) {
  auto work = [&](CommitGate&) -> Result<int> {
    held->set_value();
    go.wait();
    return 1;
  };
  auto done = co_await lock->run_locked<int>(lock->deadline(10s), work);
  co_return done.has_value();
}

void lock_and_free(const std::shared_ptr<Directory>& directory, const std::string& name) {
  REQUIRE(test::run(lock_once(directory, name)));
}

}  // namespace

TEST_CASE("a sidecar stays open for the next lock, and no longer than its directory") {
  Scratch scratch;
  {
    const auto directory = scratch.open();
    lock_and_free(directory, "a.lock");
    CHECK(open_files_in(scratch.path()) == 1);
    lock_and_free(directory, "a.lock");
    lock_and_free(directory, "b.lock");
    CHECK(open_files_in(scratch.path()) == 2);
    // Others may have the lock meanwhile, with a descriptor of their own.
    const auto other = scratch.open();
    CHECK(other->try_lock("a.lock", LockPrimitive::automatic).has_value());
  }
  CHECK(open_files_in(scratch.path()) == 0);
}

TEST_CASE("a sidecar that somebody waits for is closed when it is let go") {
  Scratch scratch;
  const auto directory = scratch.open();
  const auto place = directory->stand_in_line("a.lock", Arrival::clock::now() + 1h);
  REQUIRE(place.has_value());
  auto sidecar = directory->open_sidecar("a.lock", LockPrimitive::automatic).value();
  REQUIRE(sidecar->try_lock().has_value());
  sidecar->let_go();
  sidecar.reset();
  CHECK(open_files_in(scratch.path()) == 2);  // the sidecar, and the queue's file
  directory->ring_for_next("a.lock");
  CHECK(open_files_in(scratch.path()) == 1);
}

TEST_CASE("a sidecar that was replaced while it was idle is not taken for the new one") {
  Scratch scratch;
  const auto directory = scratch.open();
  lock_and_free(directory, "a.lock");
  std::filesystem::remove(scratch.path() / "a.lock");
  auto sidecar = directory->open_sidecar("a.lock", LockPrimitive::automatic).value();
  REQUIRE(sidecar->try_lock().has_value());
  // Whoever opens the name finds it locked.
  const Descriptor again(::open((scratch.path() / "a.lock").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(static_cast<bool>(again));
  class flock region {};
  region.l_type = F_WRLCK;
  CHECK(::fcntl(again.get(), F_OFD_SETLK, &region) == -1);
}

TEST_CASE("a forked child closes no file of its own by the number of a lock it inherited") {
  Scratch scratch;
  const auto directory = scratch.open();
  auto sidecar = directory->open_sidecar("a.lock", LockPrimitive::automatic).value();
  REQUIRE(sidecar->try_lock().has_value());
  int number = -1;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    if (std::filesystem::read_symlink(entry, gone) == scratch.path() / "a.lock")
      number = std::stoi(entry.path().filename().string());
  }
  REQUIRE(number >= 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool closed = ::fcntl(number, F_GETFD) == -1;
    const int own = ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), number);
    sidecar.reset();
    ::_exit(closed && own == number && ::fcntl(number, F_GETFD) != -1 ? 0 : 1);
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a sidecar that was inherited from a directory closed since goes with the heir's") {
  // It is inherited when both come within 20 ms: not on every round, on a busy machine.
  for (int round = 0; round < 20; ++round) {
    Scratch scratch;
    {
      const auto heirs_lock =
          std::make_shared<AdvisoryLock>(scratch.open(), "a.lock", LockOptions(), io_executor());
      std::promise<void> heir_has_it, heir_may_go, opener_has_it, opener_may_go;
      std::future<bool> heir;
      {
        const auto openers_lock =
            std::make_shared<AdvisoryLock>(scratch.open(), "a.lock", LockOptions(), io_executor());
        auto opener = std::async(std::launch::async, [&] {
          return test::run(lock_and_wait(openers_lock, &opener_has_it, opener_may_go.get_future()));
        });
        opener_has_it.get_future().get();
        heir = std::async(std::launch::async, [&, heirs_lock] {
          return test::run(lock_and_wait(heirs_lock, &heir_has_it, heir_may_go.get_future()));
        });
        std::this_thread::sleep_for(3ms);
        opener_may_go.set_value();
        CHECK(opener.get());
      }
      heir_has_it.get_future().get();
      heir_may_go.set_value();
      CHECK(heir.get());
    }
    CHECK(open_files_in(scratch.path()) == 0);
  }
}

TEST_CASE("of many sidecars only the latest stay open") {
  Scratch scratch;
  constexpr int kMany = 400;
  IdleSidecars idle;
  const auto directory = scratch.open();
  const Descriptor place(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < kMany; ++i) {
    auto file = LockDescriptor::open(place.get(), std::to_string(i), O_RDWR | O_CREAT | O_CLOEXEC);
    REQUIRE(file.has_value());
    idle.put(FileIdentity(1, static_cast<std::uint64_t>(i)), i % 2, std::move(*file));
  }
  const int left = open_files_in(scratch.path());
  CHECK(left > 0);
  CHECK(left <= 256);
  CHECK_FALSE(static_cast<bool>(idle.take(FileIdentity(1, 0))));
  CHECK(static_cast<bool>(idle.take(FileIdentity(1, kMany - 1))));
  CHECK_FALSE(static_cast<bool>(idle.take(FileIdentity(1, kMany - 1))));
  idle.close_all(1);
  CHECK_FALSE(static_cast<bool>(idle.take(FileIdentity(1, kMany - 3))));
  CHECK(static_cast<bool>(idle.take(FileIdentity(1, kMany - 2))));
  idle.close_all(0);
  CHECK(open_files_in(scratch.path()) == 0);
}
