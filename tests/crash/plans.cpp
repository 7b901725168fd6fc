#include "plans.hpp"

#include <algorithm>

namespace sessile::crash {

namespace {

void add_sequences(const Plan& base, const std::vector<std::string>& operations, std::size_t length,
                   std::vector<Plan>& plans) {
  if (!base.operations.empty()) plans.push_back(base);
  if (base.operations.size() == length) return;
  for (const std::string& operation : operations) {
    Plan longer = base;
    longer.operations.push_back(operation);
    add_sequences(longer, operations, length, plans);
  }
}

}  // namespace

std::vector<Plan> make_plans(const Explorer& explorer, const std::string& subject, std::size_t length,
                             std::uint64_t seed) {
  std::vector<Plan> plans;
  for (const auto& candidate : explorer.subjects()) {
    if (!subject.empty() && candidate->name() != subject) continue;
    const auto starts = candidate->starts();
    for (const auto& start : starts) {
      Plan base;
      base.subject = candidate->name();
      base.start = start.first;
      add_sequences(base, candidate->operations(), length, plans);
    }
  }
  std::mt19937_64 random(seed);
  std::shuffle(plans.begin(), plans.end(), random);
  std::stable_partition(plans.begin(), plans.end(),
                        [](const Plan& plan) { return plan.operations.size() == 1; });
  return plans;
}

void explore_all(Explorer& explorer, const std::vector<Plan>& plans, bool faults,
                 const std::function<bool()>& is_over) {
  for (const Plan& plan : plans) {
    if (is_over()) return;
    const std::size_t calls = explorer.explore(plan);
    if (!faults) continue;
    for (std::size_t call = 0; call < calls && !is_over(); ++call) {
      Plan failing = plan;
      failing.fault = static_cast<int>(call);
      explorer.explore(failing);
    }
  }
}

}  // namespace sessile::crash
