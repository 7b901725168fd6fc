// kill -9 at the entry of every system call of an operation, by strace.
#include "crash_processes/trial.hpp"
#include "storage/file_system.hpp"
#include "support/long_run.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/blocking.hpp>

#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
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

/// strace, attached to a process. What it says is read until it has attached.
class Strace {
 public:
  /// `how`: its options, but for the process.
  Strace(pid_t victim, const std::vector<std::string>& how) {
    std::vector<std::string> words = {"strace", "-f", "-p", std::to_string(victim)};
    words.insert(words.end(), how.begin(), how.end());
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

/// What the operation meets.
enum class Circumstance {
  usual,
  after_reading,  ///< of the session, twice: the second time it is asked for what the kernel has at hand
  after_a_death,  ///< of a writer, which left a temporary file, or a part of a record
  while_locked,   ///< by another process, until this one stands in line
  strict_umask,   ///< nothing has a mode until it is given one
};

/// One operation on a store that is in the state it needs.
class Scenario {
 public:
  Scenario(std::string name_, std::uint64_t before_, Step step_,
           Circumstance circumstance_ = Circumstance::usual)
      : name(std::move(name_)), before(before_), step(step_), circumstance(circumstance_) {}
  std::string name;
  std::uint64_t before;  ///< operations that were done, and acknowledged
  Step step;             ///< that the next one is
  Circumstance circumstance;
};

/// A seed with which the operation after `before` is `step`.
std::uint64_t seed_for(std::uint64_t before, Step step) {
  const Shared<Ledger> ledger;
  for (std::uint64_t seed = sessile::testing::test_seed();; ++seed) {
    const Writer writer(nullptr, *ledger, seed, 0);
    const Expected state = writer.expected(before);
    if (state.present == (step != Step::create) && writer.step(before + 1, state) == step) return seed;
  }
}

/// Where a store keeps what belongs to the session of writer 0.
class Files {
 public:
  Files(const std::string& scheme, const std::filesystem::path& directory)
      : flat_(scheme == "file"), root_(directory / "store") {}
  const std::filesystem::path& root() const noexcept { return root_; }
  std::filesystem::path locks() const { return flat_ ? root_ : root_ / "locks"; }
  std::string lock() const { return flat_ ? "own-0.json.lock" : "own-0.lock"; }

  /// Leaves what a writer leaves that dies at its work.
  void die_at_work() const {
    if (flat_) {
      std::ofstream(root_ / "own-0.json.tmp.1.0123456789abcdef") << "{\"session_id\":\"own";
      return;
    }
    const auto log = root_ / "sessions" / "own-0.jsonl";
    std::ifstream in(log, std::ios::binary);
    std::string records(std::istreambuf_iterator<char>(in), {});
    records.resize(records.find_last_not_of('\n') + 2);
    std::ofstream(log, std::ios::binary | std::ios::trunc) << records << "{\"crc\":\"01234567\",\"seq\":";
  }

 private:
  const bool flat_;
  const std::filesystem::path root_;
};

/// A scenario at a place of its own: its operation waits, in a process, until it is told to begin.
class Trial {
 public:
  Trial(const std::string& scheme, const Scenario& scenario)
      : scenario_(scenario),
        files_(scheme, directory_.path()),
        url_(scheme + ":" + files_.root().string() + "?durability=power"),
        seed_(seed_for(scenario.before, scenario.step)) {
    const std::string prepared = checked(*ledger_, [&]() -> std::string {
      return Writer(open_store(url_).value(), *ledger_, seed_, 0).work(scenario.before) ? ""
                                                                                        : "cannot prepare";
    });
    REQUIRE(prepared == "");
    if (scenario.circumstance == Circumstance::after_a_death) files_.die_at_work();
    if (scenario.circumstance == Circumstance::while_locked) hold_lock();
    victim_.emplace([this] { return operate(); });
  }

  const std::filesystem::path& directory() const noexcept { return directory_.path(); }
  pid_t victim() const noexcept { return victim_->pid(); }
  /// Returns how it ended, as Forked::wait does.
  int go() {
    REQUIRE(::write(go_.write_end(), "g", 1) == 1);
    const int status = victim_->wait();
    holder_.reset();
    return status;
  }
  /// What is wrong with what it left. Spends the store.
  std::string check() { return check_all(url_, *ledger_, seed_, 1); }

 private:
  /// With one thread for all file work, so that the calls of that thread are counted from its start.
  int operate() {
    char byte = 0;
    if (::read(go_.read_end(), &byte, 1) != 1) return 3;
    if (scenario_.circumstance == Circumstance::strict_umask) ::umask(0777);
    asio::thread_pool threads(1);
    const StorePtr store = open_store(url_, OpenOptions().executor(threads.get_executor())).value();
    Writer writer(store, *ledger_, seed_, 0);
    if (scenario_.circumstance == Circumstance::after_reading) {
      blocking::load(*store, writer.id()).value();
      blocking::load(*store, writer.id()).value();
    }
    return writer.work(1) ? 0 : 1;
  }

  /// Another process takes the lock, and lets go when the operation waits for it.
  void hold_lock() {
    Pipe held;
    holder_.emplace([&] {
      const auto place = storage::real_file_system()->open_directory(files_.locks()).value();
      const auto lock = place->try_lock(files_.lock(), LockPrimitive::automatic).value();
      if (::write(held.write_end(), "h", 1) != 1) return 3;
      while (!place->anybody_in_line(files_.lock(), storage::Arrival::max()))
        ::usleep(500);
      // Until what comes after is done as well: the bell, and the watch for the closing.
      ::usleep(50'000);
      return 0;
    });
    char byte = 0;
    held.close_write();
    REQUIRE(::read(held.read_end(), &byte, 1) == 1);
  }

  const Scenario& scenario_;
  const TemporaryDirectory directory_;
  const Files files_;
  const std::string url_;
  const std::uint64_t seed_;
  const Shared<Ledger> ledger_;
  Pipe go_;
  std::optional<Forked> holder_;
  std::optional<Forked> victim_;
};

bool is_attached(const Strace& strace) {
  if (strace.attached()) return true;
  MESSAGE("skipped: strace cannot trace here: " << strace.words());
  return false;
}

/// The names of the calls in what strace wrote: `4711  openat(5, "own-0.json.lock" ...`.
std::set<std::string> names_in(const std::filesystem::path& trace) {
  std::set<std::string> names;
  std::ifstream in(trace);
  for (std::string line; std::getline(in, line);) {
    const std::size_t begin = line.find_first_not_of(' ', line.find(' '));
    const std::size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789", begin);
    if (begin < end && end < line.size() && line[end] == '(') names.insert(line.substr(begin, end - begin));
  }
  return names;
}

/// The calls on files and descriptors that the scenario makes when nothing happens to it; empty: this machine
/// cannot trace.
std::optional<std::set<std::string>> calls_of(const std::string& scheme, const Scenario& scenario) {
  Trial trial(scheme, scenario);
  const auto trace = trial.directory() / "trace";
  {
    const Strace strace(trial.victim(), {"-o", trace.string(), "-e", "trace=%file,%desc,bind"});
    if (!is_attached(strace)) return std::nullopt;
    REQUIRE(trial.go() == 0);
  }
  return names_in(trace);
}

enum class End { killed, completed, cannot_trace };

/// Kills the scenario's operation at the entry of the `which`-th `call`, then checks what it left.
End kill_at(const std::string& scheme, const Scenario& scenario, const std::string& call, int which) {
  Trial trial(scheme, scenario);
  int status = 0;
  {
    const std::string inject = "inject=" + call + ":signal=KILL:when=" + std::to_string(which);
    const Strace strace(trial.victim(), {"-o", "/dev/null", "-e", "trace=" + call, "-e", inject});
    if (!is_attached(strace)) return End::cannot_trace;
    status = trial.go();
  }
  INFO(scheme << " " << scenario.name << ", killed at " << call << " number " << which << ", ended with "
              << status);
  const bool killed = status == 1000 + SIGKILL;
  REQUIRE((killed || status == 0));
  CHECK(trial.check() == "");
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

/// One system call by its names: which of them is made depends on the C library and the machine.
using Call = std::vector<std::string>;

/// Kills at calls, and keeps account of them.
class Killer {
 public:
  explicit Killer(std::vector<Call> calls) : calls_(std::move(calls)) {}

  /// Kills a scenario at each of the calls that it makes. False: this machine cannot trace.
  bool kill(const std::string& scheme, const Scenario& scenario) {
    const auto made = calls_of(scheme, scenario);
    if (!made) return false;
    made_.insert(made->begin(), made->end());
    int of_scenario = 0;
    for (const Call& call : calls_) {
      for (const std::string& name : call) {
        if (!made->contains(name)) continue;
        const auto count = kill_at_every(scheme, scenario, name);
        if (!count) return false;
        if (*count > 0) killed_at_.insert(name);
        of_scenario += *count;
      }
    }
    CHECK(of_scenario > 0);
    kills_ += of_scenario;
    return true;
  }

  int kills() const noexcept { return kills_; }
  /// A call that nothing is killed at is tested by nobody, whatever the list says.
  void check_each_was_killed_at() const {
    for (const Call& call : calls_) {
      const bool killed = std::any_of(call.begin(), call.end(),
                                      [this](const auto& name) { return killed_at_.contains(name); });
      CHECK_MESSAGE(killed, "nothing was killed at the call " << call.front());
    }
  }
  /// Nor is one that the list lacks. `others`: those that change nothing that outlives the process.
  void check_none_was_missed(std::set<std::string> others) const {
    for (const Call& call : calls_)
      others.insert(call.begin(), call.end());
    for (const std::string& name : made_)
      CHECK_MESSAGE(others.contains(name), "a scenario makes the call " << name << ", which is not listed");
  }

 private:
  const std::vector<Call> calls_;
  std::set<std::string> made_;
  std::set<std::string> killed_at_;
  int kills_ = 0;
};

/// False: this machine cannot trace.
bool kill_at_calls(Killer& killer, const std::vector<Scenario>& scenarios) {
  if (std::system("strace -V > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: strace is not installed");
    return false;
  }
  for (const char* scheme : {"file", "jsondir"}) {
    for (const Scenario& scenario : scenarios) {
      if (!killer.kill(scheme, scenario)) return false;
    }
  }
  killer.check_each_was_killed_at();
  std::cout << killer.kills() << " kills at the entry of a system call" << std::endl;
  return true;
}

}  // namespace

TEST_CASE("a kill at the entry of a system call that changes something leaves the old state or the new") {
  Killer killer(
      {{"pwrite64"}, {"ftruncate"}, {"renameat"}, {"unlinkat"}, {"mkdirat"}, {"fsync"}, {"fdatasync"}});
  kill_at_calls(killer, {Scenario("first save", 0, Step::create), Scenario("save", 5, Step::save),
                         Scenario("append", 5, Step::append), Scenario("remove", 5, Step::remove),
                         Scenario("append after a death", 5, Step::append, Circumstance::after_a_death)});
}

TEST_CASE("a kill at the entry of any system call leaves the old state or the new" * doctest::skip()) {
  std::vector<Call> calls = {{"pwrite64"},
                             {"ftruncate"},
                             {"renameat"},
                             {"unlinkat"},
                             {"mkdirat"},
                             {"fsync"},
                             {"fdatasync"},
                             {"openat"},
                             {"openat2"},
                             {"close"},
                             {"newfstatat", "fstat"},
                             {"statx"},
                             {"preadv2"},
                             {"getdents64"},
                             {"fcntl"},
                             {"lseek"},
                             {"bind"},
                             {"inotify_init1"},
                             {"inotify_add_watch"},
                             {"inotify_rm_watch"}};
  std::vector<Scenario> scenarios = {
      Scenario("first save", 0, Step::create),
      Scenario("save", 9, Step::save),
      Scenario("append", 9, Step::append),
      Scenario("keyed append", 9, Step::keyed_append),
      Scenario("update", 9, Step::update),
      Scenario("remove", 9, Step::remove),
      Scenario("append to a long log", 60, Step::append),
      Scenario("append after reading", 9, Step::append, Circumstance::after_reading),
      Scenario("append after a death", 9, Step::append, Circumstance::after_a_death),
      Scenario("append while locked", 9, Step::append, Circumstance::while_locked)};
  // Anybody else is kept out by what was made and not given its mode yet.
  if (::geteuid() == 0) {
    calls.push_back({"fchmod"});
    calls.push_back({"chmod", "fchmodat", "fchmodat2"});
    scenarios.emplace_back("first save under a strict umask", 0, Step::create, Circumstance::strict_umask);
  }
  Killer killer(calls);
  // What stirs only what dies with the process: its memory, wake-ups, timers, and news of closings.
  const std::set<std::string> others = {"mmap",        "read",           "write",          "ioctl",
                                        "eventfd2",    "epoll_ctl",      "epoll_create1",  "epoll_wait",
                                        "epoll_pwait", "timerfd_create", "timerfd_settime"};
  if (kill_at_calls(killer, scenarios)) killer.check_none_was_missed(others);
}
