// The table of behaviours and the function that runs one, for the suite and for its own tests.
#pragma once

#include "conformance/context.hpp"

#include <string_view>
#include <vector>

namespace sessile::conformance {

class Group {
 public:
  Group(std::string_view name_, std::vector<Entry> entries_) : name(name_), entries(std::move(entries_)) {}
  std::string_view name;
  std::vector<Entry> entries;
};

/// All behaviours, in the order they run.
const std::vector<Group>& groups();

/// Runs one behaviour against what `subjects` makes of the harness's stores.
Report run_entry(const Harness& harness, const SubjectFactory& subjects, std::string_view group,
                 const Entry& entry, RunOptions options);

/// The failed report of a place that is not empty or cannot be listed; empty when all is well.
std::optional<Report> refuse_place(const Harness& harness);

}  // namespace sessile::conformance
