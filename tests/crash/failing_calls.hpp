// Calls of a simulated machine, noted and made to fail one by one.
#pragma once

#include "simulated_file_system.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace sessile::crash {

/// From now on adds the kind of each call to `kinds`, which must outlive that: until `before` is set anew.
inline void note_calls(Machine& machine, std::vector<std::string>& kinds) {
  machine.before = [&kinds](const SeamCall& call) {
    kinds.push_back(call.kind);
    return 0;
  };
}

/// The `call`-th call from now on, from 0, fails with `number`; persistent: all later ones of its kind as
/// well. Returns that kind; empty until the call is made.
inline std::shared_ptr<const std::string> fail_call(Machine& machine, std::size_t call, int number,
                                                    bool persistent) {
  auto kind = std::make_shared<std::string>();
  machine.before = [kind, call, number, persistent, made = std::size_t{0}](const SeamCall& now) mutable {
    const bool first = made++ == call;
    if (first) *kind = now.kind;
    return first || (persistent && now.kind == *kind) ? number : 0;
  };
  return kind;
}

inline void check_nothing_open(const Machine& machine) {
  CHECK(machine.open_files() == 0);
  CHECK(machine.open_directories() == 0);
  CHECK(machine.held_locks() == 0);
}

}  // namespace sessile::crash
