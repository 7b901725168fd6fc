// What a disk may hold after the power went, or after its processes died.
#pragma once

#include "disk.hpp"

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace sessile::crash {

/// How many states are looked at where there are too many.
class Sampling {
 public:
  std::uint64_t seed = 1;
  std::size_t states = 64;  ///< of one cut: all when there are not more, else a sample
  std::size_t tears = 12;   ///< of one file: ways in which its writes may have been torn
};

class CrashState {
 public:
  Disk disk;
  std::string choice;        ///< what became of everything that was pending
  bool interrupted = false;  ///< in the middle of the last call, which so was not answered
};

/// Called with each state; false ends the enumeration.
using VisitState = std::function<bool(CrashState)>;

/// A loss of power. Of the entries' changes in a directory any set may be durable that with each change also
/// has the earlier ones of the same names. Of the changes of a file's data each on its own is lost, done, or,
/// a write, torn: its first bytes are there, or any of its sectors, and where it made the file longer the
/// rest may be NULs. A truncation may be half done: the size is the old one, the rest of the last block NULs.
///
/// The first state has nothing of what was pending, the second all of it.
///
/// True: with every legal set of the changes each of the others was combined; where a write is torn is a
/// sample always. False: there are more than may be looked at, or `visit` ended it.
bool power_loss_states(const Disk& disk, const Sampling& sampling, const VisitState& visit);

/// The death of the process right after `last`, or in the middle of it: of a write some first bytes are done.
/// `before` is the disk before that call. What was pending still is.
void process_death_states(const Disk& before, const Change& last, const Sampling& sampling,
                          const VisitState& visit);

}  // namespace sessile::crash
