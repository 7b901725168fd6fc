// The parts of the benchmark that turn what was counted into figures.
#include "bench/config.hpp"
#include "bench/contention_table.hpp"
#include "bench/measure/histogram.hpp"
#include "bench/measure/outcome.hpp"
#include "bench/measure/samples.hpp"
#include "bench/measurement.hpp"

#include <sessile/json.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <memory>

using namespace sessile;
using namespace sessile::bench;

TEST_CASE("every bucket's middle is within 0.4 % of what is counted in it") {
  for (std::uint64_t value = 1; value < (std::uint64_t{1} << 42U); value += value / 97 + 1) {
    const double middle = Buckets::middle_of(Buckets::index_of(value));
    const double error = std::abs(middle - static_cast<double>(value)) / static_cast<double>(value);
    REQUIRE_MESSAGE(error <= 0.004, "value " << value << " is counted as " << middle);
  }
  CHECK(Buckets::index_of(~std::uint64_t{0}) == Buckets::kCount - 1);
  CHECK(Buckets::index_of(0) == 0);
}

TEST_CASE("larger values never fall into lower buckets") {
  std::size_t before = 0;
  for (std::uint64_t value = 0; value < 100000; ++value) {
    const std::size_t index = Buckets::index_of(value);
    REQUIRE(index >= before);
    REQUIRE(index <= before + 1);
    before = index;
  }
}

TEST_CASE("percentiles are those of the values added, and the longest is exact") {
  auto shared = std::make_unique<SharedHistogram>();
  for (std::uint64_t microseconds = 1; microseconds <= 1000; ++microseconds)
    shared->add(microseconds * 1000);
  shared->add(3'456'789'123);
  Histogram histogram;
  histogram.add(*shared);
  CHECK(histogram.count() == 1001);
  CHECK(histogram.quantile_us(0.5) == doctest::Approx(501).epsilon(0.005));
  CHECK(histogram.quantile_us(0.99) == doctest::Approx(991).epsilon(0.005));
  CHECK(histogram.quantile_us(1) == doctest::Approx(3'456'789.123).epsilon(0.005));
  CHECK(histogram.max_us() == 3'456'789.123);
  CHECK(Histogram().quantile_us(0.5) == 0);
}

TEST_CASE("Jain's index is 1 for equal shares and 1/n when one of n has all") {
  CHECK(jain_index({5, 5, 5, 5}) == doctest::Approx(1));
  CHECK(jain_index({8, 0, 0, 0}) == doctest::Approx(0.25));
  CHECK(jain_index({1, 2, 3}) == doctest::Approx(36.0 / 42.0));
}

TEST_CASE("of several runs the medians are told, the longest max and all failures") {
  std::vector<Outcome> runs(3);
  const double rates[] = {100, 900, 200};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].ops_per_s = rates[i];
    runs[i].all.max_us = rates[i];
    runs[i].failed = i;
    runs[i].errors["locked"] = i;
  }
  const Outcome outcome = median_of(runs);
  CHECK(outcome.ops_per_s == 200);
  CHECK(outcome.all.max_us == 900);
  CHECK(outcome.failed == 3);
  CHECK(outcome.errors.at("locked") == 3);
}

TEST_CASE("of the figures of locks the medians are told, and nothing when one run knows nothing") {
  std::vector<Outcome> runs(3);
  const double shares[] = {0.5, 0.1, 0.2};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].lock_source = LockSource::events;
    runs[i].lock.wasted_share = shares[i];
    runs[i].lock.hold.p50_us = shares[i] * 10;
    runs[i].lock.overtakings = i;
  }
  const Outcome outcome = median_of(runs);
  CHECK(outcome.lock_source == LockSource::events);
  CHECK(outcome.lock.wasted_share == 0.2);
  CHECK(outcome.lock.hold.p50_us == 2);
  CHECK(outcome.lock.overtakings == 3);
  runs[1].lock_source = LockSource::none;
  CHECK(median_of(runs).lock_source == LockSource::none);
}

TEST_CASE("ratios are to the same with one process, and to the rivals in the same place of the grid") {
  std::vector<Measurement> series;
  const auto add = [&](const std::string& engine, std::uint64_t processes, std::uint64_t bytes, double rate) {
    RunConfig config;
    config.workload = "contention";
    config.engine = engine;
    config.processes = processes;
    config.bytes = bytes;
    series.emplace_back(config);
    series.back().runs.resize(1);
    series.back().runs.front().ops_per_s = rate;
  };
  add("sessile", 1, 10, 1000);
  add("sessile", 8, 10, 900);
  add("sessile", 8, 20, 450);
  add("poll50", 1, 10, 800);
  add("poll50", 8, 10, 300);
  const auto ratios = ratios_of(series[1], series);
  CHECK(ratios.at("one_process").to_number<double>() == doctest::Approx(0.9));
  CHECK(ratios.at("poll50").to_number<double>() == doctest::Approx(3));
  CHECK(ratios_of(series[4], series).at("one_process").to_number<double>() == doctest::Approx(0.375));
  // Of another size there is neither.
  CHECK(ratios_of(series[2], series).empty());
}

TEST_CASE("a configuration reaches the workers unchanged") {
  RunConfig config;
  config.workload = "contention";
  config.store = "file:/a?lock=ofd";
  config.processes = 7;
  config.seconds = 0.25;
  config.nonce = "n";
  CHECK(RunConfig::from_json(config.to_json()).to_json() == config.to_json());
}

TEST_CASE("credentials are not shown") {
  CHECK(without_credentials("postgres://ann:se@cret@host:5432/db?sslmode=require") ==
        "postgres://host:5432/db?sslmode=require");
  CHECK(without_credentials("postgres://host/db?user=ann&password=x&a=b") ==
        "postgres://host/db?user=***&password=***&a=b");
  CHECK(without_credentials("file:/tmp/a@b") == "file:/tmp/a@b");
}

TEST_CASE("parameters and subdirectories are put where a URL has them") {
  CHECK(with_parameter("file:/a", "lock", "ofd") == "file:/a?lock=ofd");
  CHECK(with_parameter("file:/a?x=1", "lock", "ofd") == "file:/a?x=1&lock=ofd");
  CHECK(in_subdirectory("file:/a?x=1", "b") == "file:/a/b?x=1");
  CHECK(directory_of("jsondir:/a%20b?x=1").value() == "/a b");
}

TEST_CASE("samples have the size asked for, and variants differ where they are to") {
  for (const std::uint64_t bytes : {1000U, 16384U, 100000U}) {
    const auto session = sample_session("id", "agent", bytes, 3);
    CHECK(encode_session(*session).size() == bytes);
    CHECK(measure(*session, Limits()).has_value());
  }
  CHECK(encode_message(sample_message(512, 9)).size() == 512);
  const auto one = sample_session("id", "agent", 16384, 1, true);
  const auto other = sample_session("id", "agent", 16384, 2, true);
  REQUIRE(one->messages.size() == other->messages.size());
  CHECK(one->messages.front() == other->messages.front());
  CHECK_FALSE(one->messages.back() == other->messages.back());
  CHECK_FALSE(sample_session("id", "a", 16384, 1)->messages.front() == other->messages.front());
}

TEST_CASE("numbers are written for people") {
  CHECK(readable(1234567) == "1,234,567");
  CHECK(readable(0.987) == "0.99");
  CHECK(readable_us(97.44) == "97.4 µs");
  CHECK(readable_us(1530) == "1.53 ms");
  CHECK(readable_us(2'400'000) == "2.40 s");
}
