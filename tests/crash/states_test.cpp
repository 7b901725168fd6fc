// A part of the states of crashes, the same ones each time: crash_explore looks at all.
#include "crash_states.hpp"
#include "plans.hpp"
#include "simulated_file_system.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace sessile::crash;

namespace {

void check_states(const std::string& subject, std::uint64_t histories, bool faults) {
  Sampling sampling;
  sampling.states = faults ? 8 : 16;
  sampling.tears = faults ? 3 : 6;
  Explorer explorer(sampling);
  const auto plans = make_plans(explorer, subject, 3, 1);
  explore_all(explorer, plans, faults, [&] { return explorer.counts().histories >= histories; });
  const Counts& counts = explorer.counts();
  MESSAGE(subject << ": " << counts.states << " states of " << counts.histories << " histories, "
                  << counts.compactions << " compactions");
  CHECK(counts.states > 100);
  CHECK(counts.failures == 0);
  if (subject == "json_directory" && !faults) CHECK(counts.compactions > 0);
}

/// A disk with so many empty files of which no name was synced.
Disk with_new_files(std::size_t count) {
  Machine machine{Disk()};
  const auto root = machine.files()->open_directory("/").value();
  for (std::size_t i = 0; i < count; ++i)
    root->open_file("f" + std::to_string(i), sessile::storage::OpenMode::create_exclusive).value();
  return machine.disk();
}

class Looked {
 public:
  std::size_t states = 0;
  std::set<std::size_t> different;
  bool at_all = false;
};

Looked look_at(const Disk& disk, std::size_t most) {
  Sampling sampling;
  sampling.states = most;
  Looked looked;
  looked.at_all = power_loss_states(disk, sampling, [&looked](const CrashState& state) {
    ++looked.states;
    looked.different.insert(state.disk.fingerprint());
    return true;
  });
  return looked;
}

}  // namespace

TEST_CASE(
    "a loss of power is looked at in every state where there are not too many, and says whether it was") {
  const Disk disk = with_new_files(6);
  const Looked all = look_at(disk, 64);
  CHECK(all.at_all);
  CHECK(all.states == 64);
  CHECK(all.different.size() == 64);
  const Looked sample = look_at(disk, 63);
  CHECK_FALSE(sample.at_all);
  CHECK(sample.states == 63);
  CHECK(look_at(Disk(), 64).at_all);
  CHECK_FALSE(look_at(with_new_files(13), 100).at_all);
}

TEST_CASE("1-5 what the filesystem store acknowledged is there after a crash, and nothing is a mixture") {
  check_states("filesystem", 45, false);
}
TEST_CASE(
    "1-13 what the json_directory store acknowledged is there after a crash, and nothing is a mixture") {
  check_states("json_directory", 100, false);
}
TEST_CASE("1-5 what the documents acknowledged is there after a crash, and nothing is a mixture") {
  check_states("documents", 40, false);
}
TEST_CASE("8-13 what the memory acknowledged is there after a crash, and nothing is a mixture") {
  check_states("memory", 25, false);
  check_states("memory_weak", 25, false);
}
TEST_CASE("4-9 what a session's log acknowledged is there after a crash, and nothing is a mixture") {
  check_states("session_log", 40, false);
  check_states("session_log_weak", 40, false);
}
TEST_CASE("6-7 after a call of a store of sessions that failed, a crash leaves what was acknowledged") {
  check_states("filesystem", 40, true);
  check_states("json_directory", 110, true);
}
TEST_CASE("6-7 after a call of the documents or a log that failed, a crash leaves what was acknowledged") {
  check_states("documents", 30, true);
  check_states("memory", 40, true);
  check_states("session_log", 60, true);
}
