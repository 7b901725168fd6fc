#include "conformance/suite.hpp"

#include <sessile/blocking.hpp>

#include <future>
#include <thread>

namespace sessile::conformance {
namespace {

Report blank_report(std::string_view group, const Entry& entry) {
  Report report;
  report.slug = entry.slug;
  report.group = group;
  report.name = entry.name;
  return report;
}

Report harness_failure(std::string reason) {
  Report report;
  report.slug = "harness";
  report.group = "harness";
  report.name = "The store under test is empty";
  report.reason = std::move(reason);
  return report;
}

void judge(Context& context, const Entry& entry, Report& report) {
  try {
    entry.function(context);
    report.outcome = Outcome::passed;
  } catch (const Skip& skip) {
    report.outcome = Outcome::skipped;
    report.reason = skip.what();
  } catch (const Failure& failure) {
    report.reason = failure.what();
  } catch (const std::exception& thrown) {
    report.reason = std::string("expected a Result, got an exception: ") + thrown.what();
  }
}

}  // namespace

Report run_entry(const Harness& harness, const SubjectFactory& subjects, std::string_view group,
                 const Entry& entry, RunOptions options) {
  std::promise<Report> promise;
  std::future<Report> future = promise.get_future();
  // A store may block its caller for ever, so the behaviour has a thread that can be left behind with all it
  // uses.
  std::thread thread([harness, subjects, entry, options, promise = std::move(promise),
                      report = blank_report(group, entry)]() mutable {
    auto context = std::make_unique<Context>(harness, subjects, options.deadline());
    judge(*context, entry, report);
    context->clean_up();
    context.reset();
    promise.set_value(std::move(report));
  });
  // The context notices by itself an operation that only never completes, and needs some time to clean up
  // then.
  if (future.wait_for(options.deadline() * 3) == std::future_status::ready) {
    thread.join();
    return future.get();
  }
  thread.detach();
  Report report = blank_report(group, entry);
  report.reason = "expected an end, got a thread that is blocked in the store";
  return report;
}

std::optional<Report> refuse_place(const Harness& harness) {
  if (!harness.open) return harness_failure("expected a harness that can open a store, got none");
  Result<StorePtr> store = harness.open(OpenOptions());
  if (!store) return harness_failure("expected a store, got " + show(store.error()));
  Result<Page<SessionSummary>> page = blocking::list(**store, ListQuery().limit(1));
  if (!page) return harness_failure("expected a listing, got " + show(page.error()));
  if (page->items.empty() && page->unreadable.empty()) return std::nullopt;
  return harness_failure(
      "expected an empty store, got one that holds sessions: the suite writes and removes");
}

std::vector<Behaviour> behaviours() {
  std::vector<Behaviour> all;
  for (const Group& group : groups()) {
    for (const Entry& entry : group.entries) {
      Behaviour& behaviour = all.emplace_back();
      behaviour.group = group.name;
      behaviour.name = entry.name;
      behaviour.slug = entry.slug;
    }
  }
  return all;
}

namespace {
std::unique_ptr<Subject> plain_subject(StorePtr store) {
  return std::make_unique<Subject>(std::move(store));
}
}  // namespace

Report run(const Harness& harness, std::string_view slug, RunOptions options) {
  if (auto refusal = refuse_place(harness)) return *refusal;
  for (const Group& group : groups()) {
    for (const Entry& entry : group.entries) {
      if (entry.slug == slug) return run_entry(harness, plain_subject, group.name, entry, options);
    }
  }
  return harness_failure("expected the slug of a behaviour, got " + show(slug));
}

std::vector<Report> run_all(const Harness& harness, std::function<void(const Report&)> progress,
                            RunOptions options) {
  std::vector<Report> reports;
  const auto note = [&](Report report) {
    reports.push_back(std::move(report));
    if (progress) progress(reports.back());
  };
  if (auto refusal = refuse_place(harness)) {
    note(*refusal);
    return reports;
  }
  for (const Group& group : groups()) {
    for (const Entry& entry : group.entries) {
      note(run_entry(harness, plain_subject, group.name, entry, options));
    }
  }
  return reports;
}

}  // namespace sessile::conformance
