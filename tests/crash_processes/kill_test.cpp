// kill -9 at random moments, of several processes that write at one place.
#include "crash_processes/trial.hpp"
#include "support/long_run.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <iostream>
#include <random>
#include <vector>

#include <unistd.h>

using namespace sessile;
using namespace sessile::crash;
using sessile::testing::Forked;
using sessile::testing::Shared;
using sessile::testing::TemporaryDirectory;

namespace {

constexpr int kWriters = 3;
constexpr std::uint64_t kKillsAPlace = 25;

/// Kills one of the writers and puts another in its place, time and again; then all of them.
std::string kill_at_one_place(const std::string& url, std::uint64_t seed, std::uint64_t kills,
                              std::uint64_t& operations) {
  const Shared<Ledger> ledger;
  std::mt19937_64 random(seed);
  std::vector<Forked> writers;
  for (int number = 0; number < kWriters; ++number)
    writers.push_back(start_writer(url, *ledger, seed, number));
  for (std::uint64_t i = 0; i < kills; ++i) {
    // Some die while they open the store, most in the middle of their work.
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 14'000)(random));
    const int victim = std::uniform_int_distribution<int>(0, kWriters - 1)(random);
    Forked& writer = writers[static_cast<std::size_t>(victim)];
    writer.kill();
    writer.wait();
    if (auto fault = check_writer(url, *ledger, seed, victim); !fault.empty()) return fault;
    writer = start_writer(url, *ledger, seed, victim);
  }
  writers.clear();
  for (const Account& account : ledger->accounts)
    operations += account.acknowledged + account.appends_acknowledged;
  return check_all(url, *ledger, seed, kWriters);
}

void kill_writers(const std::string& scheme) {
  const std::uint64_t kills = sessile::testing::rounds(50);
  const std::uint64_t seed = sessile::testing::test_seed();
  std::uint64_t done = 0, operations = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t place = 0; done < kills; ++place) {
    const TemporaryDirectory directory;
    const std::uint64_t count = std::min(kKillsAPlace, kills - done);
    const std::string durability = place % 4 == 1 ? "power" : "process";
    const std::string url =
        scheme + ":" + (directory.path() / "store").string() + "?durability=" + durability;
    const std::string fault = kill_at_one_place(url, seed + place, count, operations);
    if (!fault.empty()) {
      FAIL(url << ", seed " << seed << ", place " << place << ", after " << done << " kills: " << fault);
    }
    done += count;
  }
  const auto took = std::chrono::steady_clock::now() - start;
  CHECK(done == kills);
  CHECK(operations > kills / 2);
  std::cout << "figures: " << scheme << ": " << done << " kills, " << operations
            << " acknowledged operations, seed " << seed << ", "
            << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms" << std::endl;
}

}  // namespace

TEST_CASE("nothing acknowledged is lost to kill -9 at random moments: file") {
  kill_writers("file");
}

TEST_CASE("nothing acknowledged is lost to kill -9 at random moments: jsondir") {
  kill_writers("jsondir");
}
