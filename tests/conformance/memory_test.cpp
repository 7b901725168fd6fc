// The suite against the memory backend.
#include "conformance/harnesses.hpp"

#include <doctest/doctest.h>

TEST_CASE("The memory backend passes the conformance suite") {
  using namespace sessile::conformance;
  check_conformance(memory_harness(), {"the harness has no ", "the store reaches no further"});
}
