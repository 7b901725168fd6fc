// The stores, by histories of random operations that overlap. SESSILE_SEED and SESSILE_ROUNDS set how many,
// and which; SESSILE_LINEARIZABILITY_URL adds a store at any URL.
#include "linearizability/checker.hpp"
#include "linearizability/flawed_store.hpp"
#include "linearizability/recorder.hpp"
#include "support/forked.hpp"
#include "support/long_run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/memory.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <iostream>
#include <random>

#include <unistd.h>

using namespace sessile;
using namespace sessile::linearizability;
using sessile::testing::rounds;
using sessile::testing::TemporaryDirectory;
using sessile::testing::test_seed;

namespace {

/// In memory where there is room for it: that is as good for what these tests ask, and fast.
class Place {
 public:
  std::string url(const std::string& scheme, std::uint64_t number) const {
    // A new one now and then: who makes it is raced for as well.
    return scheme + ":" + (directory_.path() / ("store-" + std::to_string(number / 10))).string();
  }
  const std::filesystem::path& path() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
};

/// What may share the store.
enum class Spread { one_process, processes };

Round random_round(std::uint64_t seed, std::uint64_t number, Spread spread) {
  std::seed_seq mixed{seed, number};
  std::mt19937 random(mixed);
  const auto below = [&random](int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(random);
  };
  Round round;
  round.seed = random();
  round.name = "r" + std::to_string(number) + "-" + std::to_string(::getpid());
  round.sessions = 1 + below(2);
  if (spread == Spread::one_process) {
    round.clients = 2 + below(4);
  } else {
    round.processes = 1 + below(3);
    round.clients = 1 + below(round.processes == 1 ? 5 : 3);
    round.large_messages = below(5) == 0;
    round.kill_one = below(5) == 0;
  }
  round.operations = 4 + below(8);
  return round;
}

class Tally {
 public:
  std::uint64_t histories = 0;
  std::uint64_t operations = 0;
  std::uint64_t unknown = 0;
};

/// Runs one round; returns what is wrong with its history.
std::string fault_in(const Round& round, const std::filesystem::path& directory, Tally& tally) {
  const History history = record(round, directory);
  ++tally.histories;
  for (const Operation& operation : history) {
    ++tally.operations;
    if (operation.outcome == Outcome::unknown) ++tally.unknown;
  }
  return fault_of(history);
}

void run_rounds(const std::string& what, std::uint64_t count, Spread spread,
                const std::function<Result<StorePtr>(std::uint64_t)>& open) {
  const Place place;
  const std::uint64_t seed = test_seed();
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t number = 0; number < count; ++number) {
    Round round = random_round(seed, number, spread);
    round.open = [&open, number] { return open(number); };
    round.verifies = spread == Spread::one_process;
    std::string fault;
    try {
      fault = fault_in(round, place.path(), tally);
    } catch (const std::exception& error) {
      fault = error.what();
    }
    if (!fault.empty()) FAIL(what << ", seed " << seed << ", round " << number << ": " << fault);
  }
  const auto took = std::chrono::steady_clock::now() - start;
  CHECK(tally.histories == count);
  std::cout << "figures: " << what << ": " << tally.histories << " histories, " << tally.operations
            << " operations, " << tally.unknown << " of unknown outcome, seed " << seed << ", "
            << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms" << std::endl;
}

/// What the rounds left at one place, some of whose writers were killed. Looked at by a child: whoever forks
/// has no store open.
void check_left(const std::string& url) {
  testing::Forked checker([&url] {
    const auto report = blocking::verify(*open_store(url).value());
    const std::string faults = testing::faults_in(report, testing::remains_of_the_dead());
    std::cerr << faults;
    return faults.empty() ? 0 : 1;
  });
  CHECK_MESSAGE(checker.wait() == 0, url);
}

/// Rounds on a store of files; every eighth one synced.
void run_rounds_on_files(const std::string& scheme, std::uint64_t count) {
  const Place place;
  run_rounds(scheme, count, Spread::processes, [&](std::uint64_t number) {
    const char* durability = number % 8 == 0 ? "power" : "process";
    return open_store(place.url(scheme, number) + "?durability=" + durability);
  });
  for (std::uint64_t number = 0; number < count; number += 10)
    check_left(place.url(scheme, number));
}

/// In how many rounds a flaw was caught, of at most `most`; stops at the first.
bool caught(Flaw flaw, std::uint64_t most) {
  const Place place;
  Tally tally;
  for (std::uint64_t number = 0; number < most; ++number) {
    Round round = random_round(test_seed(), number, Spread::one_process);
    round.operations = 14;
    round.sessions = 1;
    round.open = [flaw] {
      return Result<StorePtr>(make_flawed_store(make_memory_store(OpenOptions()).value(), flaw));
    };
    if (!fault_in(round, place.path(), tally).empty()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("overlapping operations on memory are linearizable") {
  run_rounds("memory", rounds(60), Spread::one_process, [](std::uint64_t) { return open_store("memory:"); });
}

TEST_CASE("overlapping operations of several processes on file are linearizable") {
  run_rounds_on_files("file", rounds(120));
}

TEST_CASE("overlapping operations of several processes on jsondir are linearizable") {
  run_rounds_on_files("jsondir", rounds(120));
}

TEST_CASE("overlapping operations of several processes at the URL given are linearizable") {
  const char* url = std::getenv("SESSILE_LINEARIZABILITY_URL");
  if (url == nullptr) {
    MESSAGE("skipped: SESSILE_LINEARIZABILITY_URL is not set");
    return;
  }
  run_rounds("the URL given", rounds(100), Spread::processes,
             [url](std::uint64_t) { return open_store(url); });
  check_left(url);
}

TEST_CASE("every flaw is caught, and the store without one is not accused") {
  constexpr std::uint64_t kMost = 60;
  CHECK_FALSE(caught(Flaw::none, 20));
  CHECK(caught(Flaw::loses_updates, kMost));
  CHECK(caught(Flaw::reads_stale, kMost));
  CHECK(caught(Flaw::ignores_revision, kMost));
  CHECK(caught(Flaw::resurrects, kMost));
  CHECK(caught(Flaw::creates_twice, kMost));
  CHECK(caught(Flaw::forgets_keys, kMost));
  CHECK(caught(Flaw::times_out_too_late, kMost));
  CHECK(caught(Flaw::reuses_revisions, kMost));
  CHECK(caught(Flaw::tears, kMost));
}
