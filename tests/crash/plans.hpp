// Which histories there are to look at.
#pragma once

#include "explorer.hpp"

#include <functional>
#include <string>
#include <vector>

namespace sessile::crash {

/// All sequences of one to `length` operations, from all starts of all subjects, or of one. The single
/// operations come first, since they fail in the simplest way; then the rest in an order that the seed
/// decides.
std::vector<Plan> make_plans(const Explorer& explorer, const std::string& subject, std::size_t length,
                             std::uint64_t seed);

/// Explores the plans one after the other, with `faults` also once for each call of each that fails, until
/// `is_over`.
void explore_all(Explorer& explorer, const std::vector<Plan>& plans, bool faults,
                 const std::function<bool()>& is_over);

}  // namespace sessile::crash
