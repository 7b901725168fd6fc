// The memory between processes (H5, H8): the other process is this program, run for one of its cases.
#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/memory_log.hpp>

#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

using namespace sessile;
using namespace sessile::testing;

namespace {

/// The file of one memory, whose writers are killed.
class Place {
 public:
  TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "memory.jsonl";
  SoundAtEnd sound{[this] { return run(MemoryLog::verify(file)); }, remains_of_the_dead()};
};

constexpr const char* kFileVariable = "SESSILE_TEST_MEMORY_FILE";

/// Another process that runs the case of that name, and is killed, not asked, when this goes.
class Child {
 public:
  Child(const std::string& test_case, const std::filesystem::path& file) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    std::string program = "/proc/self/exe", filter = "--test-case=" + test_case, skip = "--no-skip";
    std::string variable = std::string(kFileVariable) + "=" + file.string();
    std::vector<char*> arguments = {program.data(), filter.data(), skip.data(), nullptr};
    std::vector<char*> environment = {variable.data(), nullptr};
    const int failure =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    REQUIRE(failure == 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    ::close(output_);
  }

  pid_t pid() const noexcept { return pid_; }
  /// Waits until the child says so; false when it ended without.
  bool await(char word) const {
    for (char said = 0; ::read(output_, &said, 1) == 1;) {
      if (said == word) return true;
    }
    return false;
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  int output_ = -1;
};

void say(char word) {
  REQUIRE(::write(STDERR_FILENO, &word, 1) == 1);
}

}  // namespace

// Only for a Child, never a test by itself.
TEST_CASE("child: holds the memory until it is killed" * doctest::skip()) {
  const char* file = std::getenv(kFileVariable);
  if (file == nullptr) return;
  MemoryLog memory = run(MemoryLog::open(file)).value();
  run(memory.add(MemoryKind::fact, "from the child")).value();
  say('h');
  for (;;)
    ::pause();
}

// Only for a Child, never a test by itself.
TEST_CASE("child: adds and forgets until it is killed" * doctest::skip()) {
  const char* file = std::getenv(kFileVariable);
  if (file == nullptr) return;
  MemoryLog memory = run(MemoryLog::open(file)).value();
  for (;;) {
    const MemoryId id = run(memory.add(MemoryKind::fact, std::string(300, 'x'))).value().id;
    if (id % 2 == 0) run(memory.forget(id)).value();
    if (id % 16 == 0) run(memory.compact()).value();
    say('.');
  }
}

TEST_CASE(
    "H5 while another process has the memory open it is locked by that pid, and free when it is killed") {
  const Place place;
  const auto file = place.file;
  Child child("child: holds the memory until it is killed", file);
  REQUIRE(child.await('h'));
  const Error error = run(MemoryLog::open(file)).error();
  CHECK(error.code() == Errc::locked);
  REQUIRE(error.holder().has_value());
  CHECK(error.holder()->pid == child.pid());
  CHECK_FALSE(error.holder()->host.empty());
  child.kill();
  MemoryLog memory = run(MemoryLog::open(file)).value();
  CHECK(run(memory.list()).value().size() == 1);
  CHECK(run(memory.add(MemoryKind::fact, "from the parent")).value().id == 2);
}

TEST_CASE("H8 ids never repeat over a process that is killed at work") {
  const Place place;
  const auto file = place.file;
  MemoryId highest = 0;
  for (int round = 0; round < 8; ++round) {
    Child child("child: adds and forgets until it is killed", file);
    for (int words = 0; words < 5 + 3 * round; ++words)
      REQUIRE(child.await('.'));
    child.kill();
    MemoryLog memory = run(MemoryLog::open(file)).value();
    const MemoryId id = run(memory.add(MemoryKind::fact, "from the parent")).value().id;
    CHECK(id > highest + 4 + 3 * static_cast<MemoryId>(round));
    // What was acknowledged as forgotten is: of the even ids only the parent's, and the child's last.
    std::size_t even = 0;
    for (const MemoryItem& item : run(memory.list()).value()) {
      if (item.id % 2 == 0 && item.note.content.front() == 'x') ++even;
    }
    CHECK(even <= static_cast<std::size_t>(round) + 1);
    highest = id;
  }
}
