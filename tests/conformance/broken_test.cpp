// The suite's own test: for each behaviour a store that is broken in just that way, which the suite must
// name.
#include "conformance/broken_store.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iostream>
#include <set>

namespace sessile::conformance {
namespace {

constexpr std::chrono::seconds kDeadline(20);

SubjectFactory subjects(const Defect& defect) {
  return [defect](StorePtr store) { return make_broken_subject(std::move(store), defect); };
}

Report run_against(const Defect& defect, std::string_view group, const Entry& entry) {
  return run_entry(broken_harness(defect), subjects(defect), group, entry, RunOptions().deadline(kDeadline));
}

/// Runs the whole suite against a store that has this defect, and returns the slugs of what failed.
std::vector<std::string> failures_of(const Defect& defect) {
  const Harness harness = broken_harness(defect);
  std::vector<std::string> failed;
  for (const Group& group : groups()) {
    for (const Entry& entry : group.entries) {
      const Report report =
          run_entry(harness, subjects(defect), group.name, entry, RunOptions().deadline(kDeadline));
      if (report.outcome == Outcome::failed) failed.push_back(report.slug);
    }
  }
  return failed;
}

}  // namespace

TEST_CASE("A store without a defect passes every behaviour, none skipped") {
  const Harness harness = broken_harness(Defect());
  for (const Group& group : groups()) {
    for (const Entry& entry : group.entries) {
      const Report report =
          run_entry(harness, subjects(Defect()), group.name, entry, RunOptions().deadline(kDeadline));
      CHECK_MESSAGE(report.outcome == Outcome::passed, report.slug, ": ", report.reason);
    }
  }
  CHECK_MESSAGE(!refuse_place(harness), "the suite cleans up what it made");
}

TEST_CASE("Every behaviour has its defect and every defect its behaviour") {
  std::set<std::string> of_behaviours, of_defects;
  for (const Behaviour& behaviour : behaviours()) {
    CHECK_MESSAGE(of_behaviours.insert(std::string(behaviour.slug)).second, behaviour.slug,
                  " is there twice");
  }
  for (const DefectRow& row : defects())
    of_defects.insert(std::string(row.slug));
  CHECK(of_behaviours == of_defects);
  CHECK(of_behaviours.size() == defects().size());
}

TEST_CASE("The suite names the defect of every broken store") {
  for (const Group& group : groups()) {
    for (const Entry& entry : group.entries) {
      const Report report = run_against(Defect(entry.slug), group.name, entry);
      CHECK_MESSAGE(report.outcome == Outcome::failed, entry.slug,
                    " does not notice its defect: ", report.reason);
      CHECK_MESSAGE(report.reason.find("expected ") != std::string::npos, entry.slug, ": ", report.reason);
      std::cout << entry.slug << ": " << report.reason << std::endl;
    }
  }
}

// Not run by default: the whole suite once a defect takes minutes. Prints behaviour, defect, what else
// failed.
TEST_CASE("What else fails when a store is broken" * doctest::skip()) {
  for (const DefectRow& row : defects()) {
    std::vector<std::string> failed = failures_of(Defect(row.slug));
    CHECK_MESSAGE(std::erase(failed, row.slug) == 1, row.slug, " does not notice its defect");
    std::cout << "| " << row.slug << " | " << row.what << " |";
    for (const std::string& slug : failed)
      std::cout << ' ' << slug;
    std::cout << " |" << std::endl;
  }
}

TEST_CASE("A place that is not empty is refused") {
  const Harness harness = broken_harness(Defect());
  Context context(harness, subjects(Defect()), kDeadline);
  context.saved(context.open());
  const std::vector<Report> reports = run_all(harness);
  REQUIRE(reports.size() == 1);
  CHECK(reports.front().outcome == Outcome::failed);
  CHECK(reports.front().slug == "harness");
  CHECK(run(harness, "create.if_absent").outcome == Outcome::failed);
}

TEST_CASE("A missing hook is reported as skipped, with the reason") {
  Harness harness = broken_harness(Defect());
  harness.reopen = nullptr;
  harness.corrupt = nullptr;
  harness.second_process = nullptr;
  for (const char* slug : {"reopen.everything_is_there", "corruption.load", "processes.updates"}) {
    const Report report = run(harness, slug);
    CHECK(report.outcome == Outcome::skipped);
    CHECK(report.reason.find("hook") != std::string::npos);
  }
}

TEST_CASE("An unknown slug is a failure") {
  CHECK(run(broken_harness(Defect()), "no.such_behaviour").outcome == Outcome::failed);
}

TEST_CASE("A behaviour that hangs has failed") {
  const Harness harness = broken_harness(Defect());
  const Entry hangs("test.hangs", "Hangs", [](Context& context) { context.run_until([] { return false; }); });
  const Report report =
      run_entry(harness, subjects(Defect()), "test", hangs, RunOptions().deadline(std::chrono::seconds(1)));
  CHECK(report.outcome == Outcome::failed);
  CHECK(report.reason.find("got none in 1 s") != std::string::npos);
}

}  // namespace sessile::conformance
