// Pruning in the background (O13).
#include "stores.hpp"
#include "wrapped_store.hpp"

#include <future>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

/// A wrapped store with one session that is due to go.
class Fixture {
 public:
  Fixture() {
    OpenOptions options;
    options.clock(clock);
    wrapped = std::make_shared<WrappedStore>(options);
    store = wrapped;
    run(create(store, Session("old"))).value();
    clock->advance(1000h);
  }
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<WrappedStore> wrapped;
  StorePtr store;
};

void await_listing(const WrappedStore& store) {
  while (store.listings == 0)
    std::this_thread::sleep_for(1ms);
}

}  // namespace

TEST_CASE("O13 save returns before the prune it starts, which then removes what is due") {
  Fixture fixture;
  fixture.wrapped->hold_listings = true;
  BackgroundPruner pruner(fixture.store);
  run(pruner.save(Session("new"))).value();  // would not return if it waited for the prune
  await_listing(*fixture.wrapped);
  CHECK(run(exists(fixture.store, "old")).value());
  CHECK_FALSE(pruner.last_report().has_value());
  fixture.wrapped->hold_listings = false;
  run(pruner.drain()).value();
  REQUIRE(pruner.last_report().has_value());
  const PruneReport report = pruner.last_report()->value();
  CHECK(report.removed.size() == 1);
  CHECK(report.kept == 1);
  CHECK_FALSE(run(exists(fixture.store, "old")).value());
  run(pruner.close()).value();
}

TEST_CASE("O13 background pruning works on every store") {
  for_each_store([](TestStore& place) {
    run(create(place.store, Session("old"))).value();
    place.clock->advance(1000h);
    BackgroundPruner pruner(place.store, BackgroundPruneOptions().policy(RetentionPolicy().ttl(1h)));
    run(pruner.save(Session("new"))).value();
    run(pruner.drain()).value();
    REQUIRE(pruner.last_report().has_value());
    CHECK(pruner.last_report()->value().removed.size() == 1);
    CHECK(run(exists(place.store, "new")).value());
    run(pruner.close()).value();
  });
}

TEST_CASE("O13 a failed prune is reported, not thrown, and the save stands") {
  Fixture fixture;
  fixture.wrapped->fail_listing = [] { return std::optional(Error(Errc::unavailable, "gone fishing")); };
  std::atomic<int> reports{0};
  BackgroundPruneOptions options;
  options.on_report([&reports](const Result<PruneReport>& report) {
    if (!report && report.error().code() == Errc::unavailable) ++reports;
    throw std::runtime_error("a listener's failure is dropped");
  });
  BackgroundPruner pruner(fixture.store, options);
  CHECK(run(pruner.save(Session("new"))).has_value());
  run(pruner.drain()).value();
  CHECK(reports == 1);
  REQUIRE(pruner.last_report().has_value());
  CHECK(pruner.last_report()->error().code() == Errc::unavailable);
  CHECK(run(exists(fixture.store, "new")).value());
}

TEST_CASE("O13 a failed save starts no prune") {
  Fixture fixture;
  BackgroundPruner pruner(fixture.store);
  CHECK(run(pruner.save(Session("old"), SaveOptions().if_absent())).error().code() == Errc::conflict);
  run(pruner.drain()).value();
  CHECK_FALSE(pruner.last_report().has_value());
}

TEST_CASE("O14 the background pruner starts at most one prune per cooldown, and one at a time") {
  Fixture fixture;
  auto now = std::make_shared<std::atomic<std::int64_t>>(0);
  BackgroundPruneOptions options;
  options.cooldown(1min).clock(
      [now] { return std::chrono::steady_clock::time_point(std::chrono::minutes(*now)); });
  BackgroundPruner pruner(fixture.store, options);
  fixture.wrapped->hold_listings = true;
  CHECK(pruner.notify());
  CHECK_FALSE(pruner.notify());
  *now += 5;
  CHECK_FALSE(pruner.notify());  // the first one is still running
  fixture.wrapped->hold_listings = false;
  run(pruner.drain()).value();
  CHECK(pruner.notify());
  run(pruner.drain()).value();
  CHECK_FALSE(pruner.notify());
  CHECK(fixture.wrapped->listings == 2);
}

TEST_CASE("O13 the pruner does not keep the store alive, and says when it is gone") {
  Fixture fixture;
  BackgroundPruner pruner(fixture.store);
  std::weak_ptr<SessionStore> watch = fixture.store;
  fixture.store.reset();
  fixture.wrapped.reset();
  CHECK(watch.expired());
  CHECK_FALSE(pruner.notify());
  CHECK(run(pruner.save(Session("new"))).error().code() == Errc::closed);
  run(pruner.close()).value();
}

TEST_CASE("O13 a prune that runs keeps the store until it ends, though pruner and handle are gone") {
  Fixture fixture;
  std::promise<std::size_t> removed;
  auto outcome = removed.get_future();
  std::weak_ptr<SessionStore> watch = fixture.store;
  std::atomic<bool>& hold = fixture.wrapped->hold_listings;
  hold = true;
  {
    BackgroundPruneOptions options;
    options.on_report(
        [&removed](const Result<PruneReport>& report) { removed.set_value(report.value().removed.size()); });
    BackgroundPruner pruner(fixture.store, options);
    CHECK(pruner.notify());
  }
  await_listing(*fixture.wrapped);
  fixture.store.reset();
  fixture.wrapped.reset();
  CHECK_FALSE(watch.expired());
  hold = false;
  REQUIRE(outcome.wait_for(60s) == std::future_status::ready);
  CHECK(outcome.get() == 1);
  while (!watch.expired())
    std::this_thread::sleep_for(1ms);
}

TEST_CASE("O13 close cancels the prune that runs, waits for it, and lets none start again") {
  Fixture fixture;
  fixture.wrapped->hold_listings = true;
  BackgroundPruner pruner(fixture.store);
  CHECK(pruner.notify());
  await_listing(*fixture.wrapped);
  run(pruner.close()).value();
  REQUIRE(pruner.last_report().has_value());
  CHECK(pruner.last_report()->error().code() == Errc::cancelled);
  fixture.wrapped->hold_listings = false;
  CHECK_FALSE(pruner.notify());
  run(pruner.close()).value();
  run(pruner.save(Session("new"))).value();
  CHECK(run(exists(fixture.store, "old")).value());
}
