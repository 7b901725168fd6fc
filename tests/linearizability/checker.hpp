// Whether the operations on one session can be put in one order that explains every answer.
#pragma once

#include "linearizability/history.hpp"
#include "linearizability/model.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sessile::linearizability {

class Verdict {
 public:
  Verdict() {}
  bool linearizable = false;
  bool gave_up = false;              ///< too many states: neither shown nor refuted
  std::vector<std::size_t> longest;  ///< the most operations that could be put in order, by their indices
  State state;                       ///< after those
  std::size_t states = 0;            ///< that were visited
};

/// Searches, after Wing and Gong, and after Lowe remembers the pairs of a set of operations and a state that
/// led nowhere. Every operation takes effect at one moment between its call and its return; one whose outcome
/// is unknown does so at any moment after its call, or never. `history`: of one session.
Verdict check(const History& history, std::size_t most_states = 2'000'000);

/// A part of a history that is not linearizable which is not either: cut off where the fault first shows, and
/// without the reads that are not needed to see it.
History shrink(const History& history);

/// Empty when every session's part of `history` is linearizable; else the shrunk part of one session, and how
/// far it could be put in order, for people.
std::string fault_of(const History& history);

}  // namespace sessile::linearizability
