// A part of the states of crashes, the same ones each time: crash_explore looks at all.
#include "plans.hpp"

#include <doctest/doctest.h>

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

}  // namespace

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
