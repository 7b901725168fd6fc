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

// The rows of the table, each group beside its functions.
std::vector<Entry> roundtrip_behaviours();
std::vector<Entry> encoding_behaviours();
std::vector<Entry> ids_behaviours();
std::vector<Entry> revisions_behaviours();
std::vector<Entry> create_behaviours();
std::vector<Entry> update_behaviours();
std::vector<Entry> append_behaviours();
std::vector<Entry> remove_behaviours();
std::vector<Entry> list_behaviours();
std::vector<Entry> paging_behaviours();
std::vector<Entry> list_for_agent_behaviours();
std::vector<Entry> partial_behaviours();
std::vector<Entry> concurrency_behaviours();
std::vector<Entry> cancellation_behaviours();
std::vector<Entry> executors_behaviours();
std::vector<Entry> limits_behaviours();
std::vector<Entry> reopen_behaviours();
std::vector<Entry> corruption_behaviours();
std::vector<Entry> lifecycle_behaviours();
std::vector<Entry> processes_behaviours();

/// All behaviours, in the order they run.
const std::vector<Group>& groups();

/// Runs one behaviour against what `subjects` makes of the harness's stores.
Report run_entry(const Harness& harness, const SubjectFactory& subjects, std::string_view group,
                 const Entry& entry, RunOptions options);

/// The failed report of a place that is not empty or cannot be listed; empty when all is well.
std::optional<Report> refuse_place(const Harness& harness);

}  // namespace sessile::conformance
