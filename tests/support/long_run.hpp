// How long a randomised test runs, and from which seed: settable from outside, for long runs and to repeat
// one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace sessile::testing {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::stoull(text) : otherwise;
}

/// SESSILE_SEED; the same one each time where it is not set.
inline std::uint64_t test_seed() {
  return number_from_environment("SESSILE_SEED", 20261120);
}

/// How often a short form repeats its unit of work (SESSILE_ROUNDS in the long ones).
inline std::uint64_t rounds(std::uint64_t in_the_short_form) {
  return number_from_environment("SESSILE_ROUNDS", in_the_short_form);
}

}  // namespace sessile::testing
