// One session as the contract has it: what each operation may answer in each state.
#pragma once

#include "linearizability/history.hpp"

#include <map>
#include <optional>
#include <string>

namespace sessile::linearizability {

/// A state of one session. A write whose outcome is unknown may leave a revision that nobody was told: then
/// `revision` is the least that it can be, and the first operation that sees it settles it.
class State {
 public:
  State() {}
  bool present = false;
  bool revision_known = true;
  Revision revision = 0;  ///< absent: the greatest that was ever used; a new one is greater
  Content content;
  std::map<int, Revision> keys;  ///< remembered idempotency keys; 0: its revision is not known

  /// Distinguishes it from every other state.
  std::string text() const;
};

/// The state after `operation` took effect in `state` and answered as recorded; empty when it cannot have.
/// An unknown outcome is a success that told nothing: that it may have had no effect is the checker's matter.
std::optional<State> apply(State state, const Operation& operation);

}  // namespace sessile::linearizability
