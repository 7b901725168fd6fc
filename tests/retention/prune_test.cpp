// Retention: what goes, what stays, and what the report says (O12, O14).
#include "stores.hpp"
#include "wrapped_store.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <deque>
#include <fstream>
#include <random>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

/// Sessions "0" (the newest) to "count-1", each an hour older than the one before.
void fill(TestStore& place, int count) {
  const TimePoint newest = place.clock->now();
  for (int i = count - 1; i >= 0; --i) {
    place.clock->set(newest - i * 1h);
    run(create(place.store, Session(std::to_string(i)))).value();
  }
  place.clock->set(newest);
}

std::string ids(const std::vector<PruneItem>& items) {
  std::string text;
  for (const PruneItem& item : items)
    text += item.id.str() + (item.reason == PruneReason::expired ? "e " : "c ");
  return text;
}

std::string left_in(const StorePtr& store) {
  std::string text;
  for (const SessionSummary& summary : run(store->list()).value().items)
    text += summary.id.str() + " ";
  return text;
}

StorePtr wrapped(const std::shared_ptr<ManualClock>& clock) {
  OpenOptions options;
  options.clock(clock);
  return std::make_shared<WrappedStore>(options);
}

}  // namespace

TEST_CASE("O12 prune removes by age, then by count, the oldest first, and says why") {
  for_each_store([](TestStore& place) {
    fill(place, 8);
    const auto report = run(prune(place.store, RetentionPolicy().ttl(5h).max_sessions(3))).value();
    CHECK(ids(report.removed) == "7e 6e 5e 4c 3c ");
    CHECK(report.kept == 3);
    CHECK(report.would_remove.empty());
    CHECK(report.failed.empty());
    CHECK_FALSE(report.stopped.has_value());
    CHECK(left_in(place.store) == "0 1 2 ");
    CHECK(run(prune(place.store, RetentionPolicy().ttl(5h).max_sessions(3))).value().removed.empty());
  });
}

TEST_CASE("O12 prune's defaults are 168 hours and 100 sessions; 0 switches either off") {
  CHECK(RetentionPolicy().ttl() == 168h);
  CHECK(RetentionPolicy().max_sessions() == 100);
  for_each_store([](TestStore& place) {
    fill(place, 5);
    CHECK(run(prune(place.store, RetentionPolicy().ttl(0s).max_sessions(0))).value().kept == 5);
    CHECK(run(prune(place.store)).value().kept == 5);
    place.clock->advance(165h);
    CHECK(ids(run(prune(place.store)).value().removed) == "4e 3e ");
    CHECK(ids(run(prune(place.store, RetentionPolicy().ttl(0s).max_sessions(2))).value().removed) == "2c ");
    CHECK(ids(run(prune(place.store, RetentionPolicy().ttl(166h).max_sessions(0))).value().removed) == "1e ");
    CHECK(left_in(place.store) == "0 ");
  });
}

TEST_CASE("O12 a session exactly as old as the ttl goes, one a microsecond younger stays") {
  for_each_store([](TestStore& place) {
    run(create(place.store, Session("a"))).value();
    place.clock->advance(1h - 1us);
    CHECK(run(prune(place.store, RetentionPolicy().ttl(1h))).value().removed.empty());
    place.clock->advance(1us);
    CHECK(ids(run(prune(place.store, RetentionPolicy().ttl(1h))).value().removed) == "ae ");
  });
}

TEST_CASE("O12 a dry run returns exactly what would go and why, and touches nothing") {
  for_each_store([](TestStore& place) {
    fill(place, 6);
    const RetentionPolicy policy = RetentionPolicy().ttl(4h).max_sessions(2);
    const auto dry = run(prune(place.store, policy, PruneOptions().dry_run())).value();
    CHECK(ids(dry.would_remove) == "5e 4e 3c 2c ");
    CHECK(dry.removed.empty());
    CHECK(dry.kept == 2);
    CHECK(left_in(place.store) == "0 1 2 3 4 5 ");
    const auto real = run(prune(place.store, policy)).value();
    CHECK(real.removed == dry.would_remove);
    CHECK(real.kept == dry.kept);
  });
}

TEST_CASE("O12 pinned sessions stay and do not count, unless they are to be treated as the others") {
  for_each_store([](TestStore& place) {
    fill(place, 4);
    run(set_metadata(place.store, "3", "pinned", true)).value();
    run(set_metadata(place.store, "0", "pinned", true)).value();
    place.clock->advance(10h);
    const RetentionPolicy policy = RetentionPolicy().ttl(0s).max_sessions(1);
    CHECK(ids(run(prune(place.store, policy)).value().removed) == "2c ");
    CHECK(run(prune(place.store, RetentionPolicy().ttl(1h))).value().kept == 2);
    RetentionPolicy strict = RetentionPolicy().ttl(1h).pinned(RetentionPolicy::Pinned::treat_as_others);
    CHECK(run(prune(place.store, strict)).value().removed.size() == 2);
  });
}

TEST_CASE("O12 a session younger than the minimum age stays whatever the count, and counts") {
  for_each_store([](TestStore& place) {
    fill(place, 6);
    RetentionPolicy policy = RetentionPolicy().ttl(0s).max_sessions(1).minimum_age(3h);
    CHECK(ids(run(prune(place.store, policy)).value().removed) == "5c 4c 3c ");
    CHECK(left_in(place.store) == "0 1 2 ");
  });
}

TEST_CASE("O12 a session dated in the future stays") {
  for_each_store([](TestStore& place) {
    place.clock->advance(2h);
    run(create(place.store, Session("a"))).value();
    place.clock->advance(-2h);
    CHECK(run(prune(place.store, RetentionPolicy().ttl(1us).max_sessions(0))).value().kept == 1);
  });
}

TEST_CASE("O12 a session written since it was listed is kept, and the report says so") {
  for_each_store([](TestStore& place) {
    fill(place, 4);
    PruneOptions options;
    options.progress([&place](std::uint64_t done, std::uint64_t all) {
      CHECK(all == 3);
      if (done == 1) run(place.store->append("2", Message("user", "still here"))).value();
    });
    const auto report = run(prune(place.store, RetentionPolicy().ttl(1h), options)).value();
    CHECK(ids(report.removed) == "3e 1e ");
    REQUIRE(report.kept_as_written.size() == 1);
    CHECK(report.kept_as_written[0] == SessionId("2"));
    CHECK(report.kept == 2);
    CHECK(run(place.store->load("2")).value()->messages.size() == 1);
  });
}

TEST_CASE("O12 a session removed and made anew since it was listed is kept") {
  for_each_store([](TestStore& place) {
    fill(place, 3);
    PruneOptions options;
    options.progress([&place](std::uint64_t done, std::uint64_t) {
      if (done != 1) return;
      run(place.store->remove("1")).value();
      run(create(place.store, Session("1"))).value();
    });
    const auto report = run(prune(place.store, RetentionPolicy().ttl(1h), options)).value();
    CHECK(ids(report.removed) == "2e ");
    CHECK(report.kept_as_written.size() == 1);
    CHECK(run(exists(place.store, "1")).value());
  });
}

TEST_CASE("O12 a session that was already gone is not counted") {
  for_each_store([](TestStore& place) {
    fill(place, 3);
    PruneOptions options;
    options.progress([&place](std::uint64_t done, std::uint64_t) {
      if (done == 1) run(place.store->remove("1")).value();
    });
    const auto report = run(prune(place.store, RetentionPolicy().ttl(1h), options)).value();
    CHECK(ids(report.removed) == "2e ");
    CHECK(report.kept == 1);
    CHECK(report.failed.empty());
    CHECK(report.kept_as_written.empty());
  });
}

TEST_CASE("O12 two prunes at once remove each session once between them") {
  for_each_store([](TestStore& place) {
    fill(place, 40);
    std::atomic<std::size_t> removed{0};
    std::vector<std::thread> pruners;
    for (int i = 0; i < 2; ++i) {
      pruners.emplace_back([&] {
        const auto report = run(prune(place.store, RetentionPolicy().ttl(1h)));
        if (report && report->failed.empty()) removed += report->removed.size();
      });
    }
    for (std::thread& pruner : pruners)
      pruner.join();
    CHECK(removed == 39);
    CHECK(left_in(place.store) == "0 ");
  });
}

TEST_CASE("O12 a session that cannot be removed is reported, and the others go") {
  auto clock = std::make_shared<ManualClock>();
  const StorePtr store = wrapped(clock);
  for (const char* id : {"a", "b", "c"})
    run(create(store, Session(id))).value();
  static_cast<WrappedStore&>(*store).fail_removal = [](const SessionId& id) -> std::optional<Error> {
    if (id == SessionId("b")) return Error(Errc::io, "the disk is on fire");
    return std::nullopt;
  };
  clock->advance(2h);
  const auto report = run(prune(store, RetentionPolicy().ttl(1h))).value();
  CHECK(report.removed.size() == 2);
  REQUIRE(report.failed.size() == 1);
  CHECK(report.failed[0].key() == "b");
  CHECK(report.failed[0].code() == Errc::io);
  CHECK(report.kept == 0);
  CHECK(run(exists(store, "b")).value());
}

TEST_CASE("O12 a failed listing is prune's error; a negative age is refused") {
  const StorePtr store = wrapped(std::make_shared<ManualClock>());
  static_cast<WrappedStore&>(*store).fail_listing = [] { return std::optional(Error(Errc::unavailable)); };
  CHECK(run(prune(store)).error().code() == Errc::unavailable);
  CHECK(run(prune(store, RetentionPolicy().ttl(-1h))).error().code() == Errc::invalid_argument);
  CHECK(run(prune(store, RetentionPolicy().minimum_age(-1h))).error().code() == Errc::invalid_argument);
}

TEST_CASE("O12 a cancelled prune says what it has done, and leaves the rest") {
  auto clock = std::make_shared<ManualClock>();
  const StorePtr store = wrapped(clock);
  for (const char* id : {"a", "b", "c", "d"}) {
    run(create(store, Session(id))).value();
    clock->advance(1h);
  }
  asio::io_context context(1);
  asio::cancellation_signal cancel;
  PruneOptions options;
  options.progress([&cancel](std::uint64_t done, std::uint64_t) {
    if (done == 2) cancel.emit(asio::cancellation_type::terminal);
  });
  std::optional<Result<PruneReport>> outcome;
  auto ended = [&outcome](std::exception_ptr thrown, Result<PruneReport> result) {
    REQUIRE_FALSE(thrown);
    outcome.emplace(std::move(result));
  };
  asio::co_spawn(context, prune(store, RetentionPolicy().ttl(1h), options),
                 asio::bind_cancellation_slot(cancel.slot(), std::move(ended)));
  context.run();
  REQUIRE(outcome.has_value());
  const PruneReport report = outcome->value();
  CHECK(ids(report.removed) == "ae be ");
  CHECK(report.kept == 2);
  REQUIRE(report.stopped.has_value());
  CHECK(report.stopped->code() == Errc::cancelled);
  CHECK(left_in(store) == "d c ");
}

TEST_CASE("O12 a session that cannot be read stays, and is reported") {
  for_each_store([](TestStore& place) {
    if (place.scheme != "file") return;
    fill(place, 2);
    place.damaged = true;
    std::ofstream(place.directory.path() / "broken.json") << "{\"session_id\":\"bro";
    place.clock->advance(1000h);
    const auto report = run(prune(place.store, RetentionPolicy().ttl(1h))).value();
    CHECK(report.removed.size() == 2);
    CHECK(report.unreadable.size() == 1);
    CHECK(std::filesystem::exists(place.directory.path() / "broken.json"));
  });
}

TEST_CASE("O14 a throttle lets one through per cooldown, by its monotonic clock") {
  std::chrono::steady_clock::time_point now(1h);
  Throttle throttle(1min, [&now] { return now; });
  CHECK(throttle.try_pass());
  CHECK_FALSE(throttle.try_pass());
  now += 1min - 1ns;
  CHECK_FALSE(throttle.try_pass());
  now += 1ns;
  CHECK(throttle.try_pass());
  CHECK_FALSE(throttle.try_pass());
  Throttle open(0s, [&now] { return now; });
  CHECK(open.try_pass());
  CHECK(open.try_pass());
  Throttle once(std::chrono::nanoseconds::max(), [&now] { return now; });
  CHECK(once.try_pass());
  now += std::chrono::hours(24 * 365 * 100);
  CHECK_FALSE(once.try_pass());
}

TEST_CASE("O14 of threads that come at the same moment exactly one passes the throttle") {
  constexpr int kThreads = 2, kRounds = 60000;
  std::deque<Throttle> throttles;
  // A clock that takes a little longer now and then lets every interleaving come up.
  const auto clock = [] {
    thread_local std::minstd_rand random(std::random_device{}());
    for (volatile unsigned spins = random() % 64; spins > 0;)
      spins = spins - 1;
    return std::chrono::steady_clock::time_point(1h);
  };
  for (int round = 0; round < kRounds; ++round)
    throttles.emplace_back(24h, clock);
  std::vector<std::atomic<int>> arrived(kRounds), passed(kRounds);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (std::size_t round = 0; round < kRounds; ++round) {
        // Spins for a while, to meet the other one; gives way when that one has no processor.
        ++arrived[round];
        for (int spins = 0; arrived[round] < kThreads; ++spins) {
          if (spins > 1000) std::this_thread::yield();
        }
        passed[round] += throttles[round].try_pass() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(std::all_of(passed.begin(), passed.end(), [](const auto& count) { return count == 1; }));
}
