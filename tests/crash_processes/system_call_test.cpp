// kill -9 at the entry of every system call of an operation, by strace.
#include "crash_processes/trial.hpp"
#include "support/long_run.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

extern char** environ;

using namespace sessile;
using namespace sessile::crash;
using sessile::testing::Forked;
using sessile::testing::Shared;
using sessile::testing::TemporaryDirectory;

namespace {

/// Two connected descriptors.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  int read_end() const noexcept { return ends_[0]; }
  int write_end() const noexcept { return ends_[1]; }
  void close_read() noexcept { close(ends_[0]); }
  void close_write() noexcept { close(ends_[1]); }

 private:
  static void close(int& end) noexcept {
    if (end >= 0) ::close(end);
    end = -1;
  }
  int ends_[2] = {-1, -1};
};

/// strace, attached to a process that it kills at the entry of a call. What it says is read until it has
/// attached.
class Strace {
 public:
  Strace(pid_t victim, const std::string& call, int which) {
    const std::string inject = "inject=" + call + ":signal=KILL:when=" + std::to_string(which);
    std::vector<std::string> words = {
        "strace", "-f", "-o", "/dev/null", "-p", std::to_string(victim), "-e", "trace=" + call, "-e", inject};
    std::vector<char*> arguments;
    for (std::string& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, words_.write_end(), STDERR_FILENO);
    if (::posix_spawnp(&pid_, "strace", &actions, nullptr, arguments.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    words_.close_write();
    attached_ = pid_ > 0 && read_until_attached();
  }
  Strace(const Strace&) = delete;
  Strace& operator=(const Strace&) = delete;
  ~Strace() {
    if (pid_ <= 0) return;
    while (read_some() > 0) {
    }
    ::waitpid(pid_, nullptr, 0);
  }

  bool attached() const noexcept { return attached_; }
  const std::string& words() const noexcept { return text_; }

 private:
  ssize_t read_some() {
    char buffer[512];
    const ssize_t count = ::read(words_.read_end(), buffer, sizeof buffer);
    if (count > 0) text_.append(buffer, static_cast<std::size_t>(count));
    return count;
  }
  bool read_until_attached() {
    while (text_.find("attached") == std::string::npos) {
      if (read_some() <= 0) return false;
    }
    return true;
  }

  Pipe words_;
  pid_t pid_ = -1;
  bool attached_ = false;
  std::string text_;
};

/// One operation on a store that is in the state it needs.
class Scenario {
 public:
  Scenario(std::string name_, std::uint64_t before_, Step step_)
      : name(std::move(name_)), before(before_), step(step_) {}
  std::string name;
  std::uint64_t before;  ///< operations that were done, and acknowledged
  Step step;             ///< that the next one is
};

std::string url_of(const std::string& scheme, const std::filesystem::path& directory) {
  return scheme + ":" + (directory / "store").string() + "?durability=power";
}

/// A seed with which the operation after `before` is `step`.
std::uint64_t seed_for(std::uint64_t before, Step step) {
  const Shared<Ledger> ledger;
  for (std::uint64_t seed = sessile::testing::test_seed();; ++seed) {
    const Writer writer(nullptr, *ledger, seed, 0);
    const Expected state = writer.expected(before);
    if (state.present == (step != Step::create) && writer.step(before + 1, state) == step) return seed;
  }
}

enum class End { killed, completed, cannot_trace };

/// Does the scenario's operation with one thread for all file work, so that the calls of that thread are
/// counted from its start; kills it at the entry of the `which`-th `call`, then checks what it left.
End kill_at(const std::string& scheme, const Scenario& scenario, const std::string& call, int which) {
  const TemporaryDirectory directory;
  const std::string url = url_of(scheme, directory.path());
  const std::uint64_t seed = seed_for(scenario.before, scenario.step);
  const Shared<Ledger> ledger;
  const std::string prepared = checked(*ledger, [&]() -> std::string {
    return Writer(open_store(url).value(), *ledger, seed, 0).work(scenario.before) ? "" : "cannot prepare";
  });
  REQUIRE(prepared == "");
  Pipe go;
  Forked victim([&] {
    char byte = 0;
    if (::read(go.read_end(), &byte, 1) != 1) return 3;
    asio::thread_pool threads(1);
    const StorePtr store = open_store(url, OpenOptions().executor(threads.get_executor())).value();
    return Writer(store, *ledger, seed, 0).work(1) ? 0 : 1;
  });
  int status = 0;
  {
    const Strace strace(victim.pid(), call, which);
    if (!strace.attached()) {
      MESSAGE("skipped: strace cannot trace here: " << strace.words());
      return End::cannot_trace;
    }
    REQUIRE(::write(go.write_end(), "g", 1) == 1);
    status = victim.wait();
  }
  INFO(scheme << " " << scenario.name << ", killed at " << call << " number " << which << ", ended with "
              << status);
  const bool killed = status == 1000 + SIGKILL;
  REQUIRE((killed || status == 0));
  CHECK(check_all(url, *ledger, seed, 1) == "");
  return killed ? End::killed : End::completed;
}

/// Returns how many kills there were, until the operation completed; empty: this machine cannot trace.
std::optional<int> kill_at_every(const std::string& scheme, const Scenario& scenario,
                                 const std::string& call) {
  constexpr int kMost = 300;
  for (int which = 1; which < kMost; ++which) {
    const End end = kill_at(scheme, scenario, call, which);
    if (end == End::cannot_trace) return std::nullopt;
    if (end == End::completed) return which - 1;
  }
  FAIL("the operation does not come to its end");
  return 0;
}

void kill_at_calls(const std::vector<Scenario>& scenarios, const std::vector<std::string>& calls) {
  if (std::system("strace -V > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: strace is not installed");
    return;
  }
  int kills = 0;
  for (const char* scheme : {"file", "jsondir"}) {
    for (const Scenario& scenario : scenarios) {
      int of_scenario = 0;
      for (const std::string& call : calls) {
        const auto count = kill_at_every(scheme, scenario, call);
        if (!count) return;
        of_scenario += *count;
      }
      CHECK(of_scenario > 0);
      kills += of_scenario;
    }
  }
  std::cout << kills << " kills at the entry of a system call" << std::endl;
}

}  // namespace

TEST_CASE("a kill at the entry of a system call that changes something leaves the old state or the new") {
  kill_at_calls({Scenario("first save", 0, Step::create), Scenario("save", 5, Step::save),
                 Scenario("append", 5, Step::append), Scenario("remove", 5, Step::remove)},
                {"pwrite64", "renameat", "unlinkat", "fsync"});
}

TEST_CASE("a kill at the entry of any system call leaves the old state or the new" * doctest::skip()) {
  kill_at_calls({Scenario("first save", 0, Step::create), Scenario("save", 9, Step::save),
                 Scenario("append", 9, Step::append), Scenario("keyed append", 9, Step::keyed_append),
                 Scenario("update", 9, Step::update), Scenario("remove", 9, Step::remove),
                 Scenario("append to a long log", 60, Step::append)},
                {"pwrite64", "renameat", "unlinkat", "fsync", "fdatasync", "openat", "mkdirat", "newfstatat",
                 "pread64", "ftruncate", "fcntl", "close", "getdents64"});
}
