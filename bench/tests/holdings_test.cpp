// What is told of a lock, from times that are known.
#include "bench/measure/holdings.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace sessile::bench;

namespace {

constexpr std::int64_t kUs = 1000;

/// All times in microseconds; `acquired` 0: given up at `released`.
Holding holding(std::int64_t requested, std::int64_t acquired, std::int64_t released,
                std::uint64_t lock = 1) {
  return Holding(lock, requested * kUs, acquired * kUs, released * kUs);
}

LockFigures figures(std::vector<Holding> holdings, std::int64_t from, std::int64_t until) {
  return lock_figures(std::move(holdings), from * kUs, until * kUs);
}

}  // namespace

TEST_CASE("the time wasted is that in which the lock was free though somebody waited") {
  // Held 100–200 and 230–300; asked for at 150. Nobody waits 300–400; asked for at 400, had at 450.
  const auto lock =
      figures({holding(100, 100, 200), holding(150, 230, 300), holding(400, 450, 500)}, 100, 600);
  CHECK(lock.wasted_us == doctest::Approx(30 + 50));
  CHECK(lock.wasted_share == doctest::Approx(80.0 / 500));
  CHECK(lock.held_share == doctest::Approx((100 + 70 + 50) / 500.0));
  // Nobody waited at the second release: it was handed over to nobody.
  CHECK(lock.handover.count == 1);
  CHECK(lock.handover.max_us == doctest::Approx(30));
}

TEST_CASE("time in which several wait for a free lock is wasted once") {
  const auto lock = figures(
      {holding(0, 10, 100), holding(20, 140, 150), holding(30, 150, 160), holding(40, 160, 170)}, 10, 200);
  CHECK(lock.wasted_us == doctest::Approx(40));
  CHECK(lock.handover.count == 3);
  CHECK(lock.handover.p50_us == doctest::Approx(0));
}

TEST_CASE("who gives up has waited too, and a free lock that nobody got was wasted on them") {
  const auto lock = figures({holding(100, 100, 200), holding(150, 0, 260)}, 100, 400);
  CHECK(lock.wasted_us == doctest::Approx(60));
  CHECK(lock.wait.count == 2);
  CHECK(lock.wait.max_us == doctest::Approx(110));
  CHECK(lock.hold.count == 1);
  CHECK(lock.handover.count == 0);
}

TEST_CASE("shares are of the window, while a wait that outlasts it counts whole") {
  // Held from before the window; the second one waits beyond its end.
  const auto lock = figures({holding(50, 60, 150), holding(120, 260, 300)}, 100, 200);
  CHECK(lock.held_share == doctest::Approx(0.5));
  CHECK(lock.wasted_us == doctest::Approx(50));
  CHECK(lock.wait.max_us == doctest::Approx(140));
  CHECK(lock.hold.max_us == doctest::Approx(90));
}

TEST_CASE("each lock is a lock of its own") {
  const auto lock =
      figures({holding(0, 0 + 1, 50, 1), holding(10, 70, 100, 1), holding(0, 1, 100, 2)}, 0, 100);
  CHECK(lock.locks == 2);
  // 20 of lock 1, and the first microsecond of both.
  CHECK(lock.wasted_us == doctest::Approx(20 + 1 + 1));
  CHECK(lock.wasted_share == doctest::Approx(22.0 / 200));
}

TEST_CASE("a release that is noted after the next one has the lock wastes nothing") {
  const auto lock = figures({holding(0, 10, 105), holding(20, 100, 150)}, 10, 150);
  CHECK(lock.wasted_us == doctest::Approx(0));
  CHECK(lock.handover.count == 1);
  CHECK(lock.handover.max_us == doctest::Approx(0));
  CHECK(lock.held_share == doctest::Approx(1));
}

TEST_CASE("who has the lock before somebody who asked earlier has overtaken") {
  CHECK(figures({holding(1, 10, 20), holding(2, 20, 30), holding(3, 30, 40)}, 0, 50).overtakings == 0);
  CHECK(figures({holding(3, 10, 20), holding(2, 20, 30), holding(1, 30, 40)}, 0, 50).overtakings == 2);
  CHECK(figures({holding(1, 10, 20), holding(9, 20, 30), holding(2, 30, 40)}, 0, 50).overtakings == 1);
}

TEST_CASE("the order in which holdings are read changes nothing") {
  std::vector<Holding> holdings;
  for (int i = 0; i < 200; ++i)
    holdings.push_back(holding(i * 10, i * 10 + 35, i * 10 + 40));
  const auto before = figures(holdings, 0, 3000);
  std::shuffle(holdings.begin(), holdings.end(), std::minstd_rand(7));
  const auto after = figures(holdings, 0, 3000);
  CHECK(before.wasted_us == after.wasted_us);
  CHECK(before.handover.p50_us == after.handover.p50_us);
  // Free 5 of every 10 µs with somebody waiting, once the first has asked at 0: 35, then 5 after each.
  CHECK(before.wasted_us == doctest::Approx(35 + 199 * 5));
}

TEST_CASE("percentiles of few values are values that were there") {
  const Latencies odd(std::vector<std::int64_t>{5000, 1000, 3000});
  CHECK(odd.count == 3);
  CHECK(odd.p50_us == 3);
  CHECK(odd.p90_us == 5);
  CHECK(odd.mean_us == doctest::Approx(3));
  std::vector<std::int64_t> thousand;
  for (std::int64_t us = 1; us <= 1000; ++us)
    thousand.push_back(us * kUs);
  const Latencies many(thousand);
  CHECK(many.p50_us == 500);
  CHECK(many.p99_us == 990);
  CHECK(many.p999_us == 999);
  CHECK(many.max_us == 1000);
  CHECK(Latencies(std::vector<std::int64_t>()).count == 0);
}

TEST_CASE("without any lock nothing is known, and no share of nothing") {
  const auto none = figures({}, 0, 100);
  CHECK(none.locks == 0);
  CHECK(none.wasted_share == 0);
  CHECK(none.wait.count == 0);
}
