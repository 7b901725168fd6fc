// Histories that once went wrong, each with a store as it is now.
#include "explorer.hpp"

#include <doctest/doctest.h>

using namespace sessile;
using namespace sessile::crash;

namespace {

/// Looks at many states of one history; how many were wrong.
std::uint64_t wrong_states(const std::string& subject, const std::string& start,
                           std::vector<std::string> operations) {
  Sampling sampling;
  sampling.states = 200;
  sampling.tears = 40;
  Explorer explorer(sampling);
  Plan plan;
  plan.subject = subject;
  plan.start = start;
  plan.operations = std::move(operations);
  explorer.explore(plan);
  CHECK(explorer.counts().states > 20);
  return explorer.counts().failures;
}

}  // namespace

TEST_CASE("A memory compacted by one who promises less than power keeps what was durable") {
  CHECK(wrong_states("memory_weak", "kept", {"compact"}) == 0);
}

TEST_CASE("8 a torn record that was being cut off when the power went again leaves a readable log") {
  CHECK(wrong_states("memory", "kept", {"compact", "forget"}) == 0);
  CHECK(wrong_states("memory", "kept", {"compact", "add"}) == 0);
}

TEST_CASE("8 an append that makes the log longer and is not synced leaves what was acknowledged") {
  CHECK(wrong_states("json_directory", "kept", {"append_a", "append_a"}) == 0);
}

TEST_CASE("A state's name leads back to it") {
  const std::string text = "memory/kept/add,forget/-1/5/power/17";
  const auto id = StateId::parse(text);
  REQUIRE(id);
  CHECK(id->text() == text);
  CHECK_FALSE(StateId::parse("memory/kept").has_value());
}
