// What is measured side by side under contention: stores, lock primitives, waiting strategies, rivals.
#pragma once

#include "bench/commands/commands.hpp"

#include <string>
#include <vector>

namespace sessile::bench {

class Variants {
 public:
  /// Names the options on `command`.
  void add_to(CLI::App& command);
  /// Sessile on each store with each primitive and waiting strategy asked for; each rival once.
  std::vector<RunConfig> configurations(const CommonOptions& common, const std::string& workload) const;

  std::vector<std::string> stores;
  std::vector<std::string> engines = {"sessile"};
  std::vector<std::string> locks;
  std::vector<std::string> waitings;
};

/// False, with a word on stderr, for a rival that many processes cannot share.
bool fits(const RunConfig& config);

}  // namespace sessile::bench
