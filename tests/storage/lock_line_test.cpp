// The line across processes: order, and what becomes of it when somebody in it dies or stops.
#include "scratch.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/descriptor.hpp"

#include <doctest/doctest.h>

#include <boost/asio/detached.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

namespace sessile::storage {

using namespace std::chrono_literals;

namespace {

using test::Program;
using test::Scratch;
using Names = std::vector<std::string>;

Program start_waiter(const Scratch& scratch, const std::string& name, int count = 1,
                     const std::string& primitive = "ofd", const std::string& waiting = "notify") {
  return Program({SESSILE_LOCK_WAITER, scratch.path().string(), "a.lock", primitive, waiting,
                  std::to_string(count), (scratch / "log").string(), name});
}

/// How many stand in the line: locks on bytes of the queue file.
int line_length(const Scratch& scratch) {
  const Descriptor file(::open((scratch / "a.lock.queue").c_str(), O_RDONLY | O_CLOEXEC));
  int count = 0;
  // Of several in a range any may be answered: the rest is looked for before and after it.
  std::vector<std::pair<off_t, off_t>> ranges{{0, 0}};
  while (!ranges.empty()) {
    const auto [begin, end] = ranges.back();
    ranges.pop_back();
    if (end != 0 && begin >= end) continue;
    class flock region {};
    region.l_type = F_WRLCK;
    region.l_whence = SEEK_SET;
    region.l_start = begin;
    region.l_len = end == 0 ? 0 : end - begin;
    if (::fcntl(file.get(), F_OFD_GETLK, &region) != 0 || region.l_type == F_UNLCK) continue;
    ++count;
    if (region.l_start > begin) ranges.emplace_back(begin, region.l_start);
    ranges.emplace_back(region.l_start + 1, end);
  }
  return count;
}

void wait_for_line(const Scratch& scratch, int length) {
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (line_length(scratch) != length && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(1ms);
  }
  REQUIRE(line_length(scratch) == length);
}

class Turn {
 public:
  std::string name;
  std::int64_t asked = 0;
  std::int64_t given = 0;
};

std::vector<Turn> turns_in(const Scratch& scratch) {
  std::ifstream log(scratch / "log");
  std::vector<Turn> turns;
  Turn turn;
  while (log >> turn.name >> turn.asked >> turn.given)
    turns.push_back(turn);
  return turns;
}

Names names_in(const Scratch& scratch) {
  Names names;
  for (const auto& turn : turns_in(scratch))
    names.push_back(turn.name);
  return names;
}

AdvisoryLock lock_in(const Scratch& scratch, LockPrimitive primitive = LockPrimitive::automatic) {
  return AdvisoryLock(scratch.open(), "a.lock", LockOptions().primitive(primitive).timeout(5min),
                      io_executor());
}

asio::awaitable<std::optional<HeldLock>> acquire(AdvisoryLock lock) {
  auto held = co_await lock.acquire(lock.deadline(0ms));
  REQUIRE(held.has_value());
  co_return std::move(*held);
}

/// Waits for the lock on a thread of its own and notes in the log that it had it.
std::thread acquire_and_note(const Scratch& scratch, const std::string& name) {
  return std::thread([&scratch, name] {
    auto held = test::run(acquire(lock_in(scratch)));
    std::ofstream(scratch / "log", std::ios::app) << name << " 0 0\n";
  });
}

}  // namespace

TEST_CASE("processes get the lock in the order in which they came, whatever their primitives") {
  Scratch scratch;
  auto held = test::run(acquire(lock_in(scratch)));
  const Names primitives{"ofd", "interprocess", "flock", "ofd", "flock", "interprocess"};
  std::vector<Program> waiters;
  Names expected;
  for (const auto& primitive : primitives) {
    expected.push_back(std::to_string(waiters.size()));
    waiters.push_back(start_waiter(scratch, expected.back(), 1, primitive));
    wait_for_line(scratch, static_cast<int>(waiters.size()));
  }
  held.reset();
  for (auto& waiter : waiters)
    CHECK(waiter.wait() == 0);
  CHECK(names_in(scratch) == expected);
  CHECK(line_length(scratch) == 0);
}

TEST_CASE("a process that lets go and wants the lock again does not overtake one that waits") {
  Scratch scratch;
  auto held = test::run(acquire(lock_in(scratch)));
  auto waiter = start_waiter(scratch, "waited");
  wait_for_line(scratch, 1);
  held.reset();
  // Whether the waiter has woken up by now or not.
  auto again = acquire_and_note(scratch, "again");
  again.join();
  CHECK(waiter.wait() == 0);
  CHECK(names_in(scratch) == Names{"waited", "again"});
}

TEST_CASE("coroutines of the holder's process take their turns in the line of all processes") {
  Scratch scratch;
  auto held = test::run(acquire(lock_in(scratch)));
  // In this process's queue; nobody is in the line, for this process has the lock.
  auto before = acquire_and_note(scratch, "before");
  const auto in_queue_by = std::chrono::steady_clock::now() + 100ms;
  std::this_thread::sleep_until(in_queue_by);
  auto waiter = start_waiter(scratch, "between");
  wait_for_line(scratch, 1);
  auto after = acquire_and_note(scratch, "after");
  std::this_thread::sleep_for(100ms);
  held.reset();
  before.join();
  after.join();
  CHECK(waiter.wait() == 0);
  CHECK(names_in(scratch) == Names{"before", "between", "after"});
}

TEST_CASE("processes that all want the lock again and again are seldom overtaken by who came later") {
  Scratch scratch;
  constexpr int kProcesses = 4;
  constexpr int kTurns = 60;
  std::vector<Program> waiters;
  auto held = test::run(acquire(lock_in(scratch)));
  for (int i = 0; i < kProcesses; ++i)
    waiters.push_back(start_waiter(scratch, std::to_string(i), kTurns));
  wait_for_line(scratch, kProcesses);
  held.reset();
  for (auto& waiter : waiters)
    CHECK(waiter.wait() == 0);
  const auto turns = turns_in(scratch);
  REQUIRE(turns.size() == kProcesses * kTurns);
  std::map<std::string, int> first_half;
  for (std::size_t i = 0; i < turns.size() / 2; ++i)
    ++first_half[turns[i].name];
  std::vector<int> overtaken;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    overtaken.push_back(
        static_cast<int>(std::count_if(turns.begin(), turns.begin() + static_cast<std::ptrdiff_t>(i),
                                       [&](const Turn& earlier) { return earlier.asked > turns[i].asked; })));
  }
  std::nth_element(overtaken.begin(), overtaken.begin() + kProcesses * kTurns / 2, overtaken.end());
  // A process that asks and is then put to sleep before it is in line may be overtaken: not the half of them.
  CHECK(overtaken[kProcesses * kTurns / 2] == 0);
  for (const auto& [name, count] : first_half) {
    CAPTURE(name);
    CHECK(count >= kTurns / 4);
  }
}

TEST_CASE("who is killed or stopped in line delays nobody behind for ever") {
  for (const int number : {SIGKILL, SIGSTOP}) {
    CAPTURE(number);
    Scratch scratch;
    auto held = test::run(acquire(lock_in(scratch)));
    auto first = start_waiter(scratch, "first");
    wait_for_line(scratch, 1);
    auto second = start_waiter(scratch, "second");
    wait_for_line(scratch, 2);
    first.signal(number);
    held.reset();
    CHECK(second.wait() == 0);
    CHECK(names_in(scratch) == Names{"second"});
    if (number == SIGSTOP) {
      first.signal(SIGCONT);
      CHECK(first.wait() == 0);
      CHECK(names_in(scratch) == Names{"second", "first"});
    }
  }
}

TEST_CASE("who is first in line is not overtaken because the lock was held for long") {
  // A slow machine may stop everybody for as long as a first in line is waited for: one round that shows it
  // is enough.
  constexpr int kRounds = 8;
  bool in_order = false;
  for (int round = 0; round < kRounds && !in_order; ++round) {
    Scratch scratch;
    auto held = test::run(acquire(lock_in(scratch)));
    auto first = start_waiter(scratch, "first");
    wait_for_line(scratch, 1);
    auto second = start_waiter(scratch, "second");
    wait_for_line(scratch, 2);
    std::this_thread::sleep_for(250ms);
    // The first one is slow to wake up; the other looks at the lock meanwhile, more than once.
    first.signal(SIGSTOP);
    held.reset();
    std::this_thread::sleep_for(50ms);
    first.signal(SIGCONT);
    CHECK(first.wait() == 0);
    CHECK(second.wait() == 0);
    in_order = names_in(scratch) == Names{"first", "second"};
  }
  CHECK(in_order);
}

TEST_CASE("who waits in no line gets the lock beside those who do") {
  Scratch scratch;
  auto held = test::run(acquire(lock_in(scratch)));
  auto in_line = start_waiter(scratch, "inside", 1);
  wait_for_line(scratch, 1);
  auto outside = start_waiter(scratch, "outside", 20, "ofd", "backoff");
  held.reset();
  CHECK(in_line.wait() == 0);
  CHECK(outside.wait() == 0);
  CHECK(line_length(scratch) == 0);
}

}  // namespace sessile::storage
