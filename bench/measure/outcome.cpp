#include "bench/measure/outcome.hpp"

#include <algorithm>

namespace sessile::bench {

double jain_index(const std::vector<double>& shares) noexcept {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  if (squares <= 0) return 1;
  return sum * sum / (static_cast<double>(shares.size()) * squares);
}

namespace {

std::vector<TimelinePoint> read_timeline(const SharedRun& run) {
  const RunHeader& header = run.header();
  const auto used = std::min(header.timeline_used.load(), run.config().timeline);
  std::vector<TimelinePoint> points;
  for (std::size_t i = 0; i < used; ++i) {
    const TimelineEntry& entry = run.timeline(i);
    const std::int64_t end = entry.end_ns.load(std::memory_order_acquire);
    if (end == 0) continue;
    TimelinePoint point;
    point.writer = entry.writer;
    point.is_read = entry.is_read != 0;
    point.start_us = static_cast<double>(entry.start_ns - header.measure_from.load()) / 1e3;
    point.end_us = static_cast<double>(end - header.measure_from.load()) / 1e3;
    points.push_back(point);
  }
  return points;
}

void read_slot(const WriterSlot& slot, double window_ns, Outcome& outcome, std::vector<double>& shares) {
  const auto completed = static_cast<double>(slot.completed.load());
  const double measured_ns = window_ns - static_cast<double>(slot.aside_ns.load());
  outcome.operations += slot.completed.load();
  shares.push_back(completed);
  if (measured_ns > 0) outcome.ops_per_s += completed * 1e9 / measured_ns;
  outcome.failed += slot.failed.load();
  outcome.failed_warm_up += slot.failed_warm_up.load();
  for (std::size_t kind = 0; kind < kErrorKinds; ++kind) {
    if (const auto n = slot.errors[kind].load(); n > 0) {
      outcome.errors[std::string(name(static_cast<Errc>(kind)))] += n;
    }
  }
}

LockSource source_of(const SharedRun& run, std::size_t used) {
  LockSource source = LockSource::none;
  for (std::size_t i = 0; i < used; ++i) {
    const HoldEntry& entry = run.hold(i);
    if (entry.released.load(std::memory_order_acquire) == 0) continue;
    if (entry.from_mutation == 0) return LockSource::events;
    source = LockSource::mutations;
  }
  return source;
}

HoldPoint point_of(const Holding& holding, std::int64_t from) {
  const auto since = [from](std::int64_t when) { return static_cast<double>(when - from) / 1e3; };
  HoldPoint point;
  point.process = holding.process;
  point.requested_us = since(holding.requested);
  point.acquired_us = since(holding.acquired);
  point.released_us = since(holding.released);
  return point;
}

void read_holds(const SharedRun& run, std::int64_t until, Outcome& outcome) {
  const RunHeader& header = run.header();
  const auto asked = header.holds_used.load();
  const auto used = static_cast<std::size_t>(std::min(asked, run.config().holds));
  const std::int64_t from = header.measure_from.load();
  outcome.lock_source = source_of(run, used);
  // A mutation that ran again was not alone with the session: when it ran says nothing about a lock.
  if (outcome.lock_source == LockSource::mutations && header.mutations_repeated.load() > 0) {
    outcome.lock_source = LockSource::none;
  }
  if (outcome.lock_source == LockSource::none) return;
  std::vector<Holding> holdings;
  std::int64_t last = from;
  for (std::size_t i = 0; i < used; ++i) {
    const HoldEntry& entry = run.hold(i);
    Holding holding(entry.lock, entry.requested, entry.acquired, entry.released.load());
    holding.process = entry.process;
    if (holding.released == 0 || (outcome.lock_source == LockSource::events) != (entry.from_mutation == 0)) {
      continue;
    }
    last = std::max(last, holding.released);
    holdings.push_back(holding);
    if (holding.had() && outcome.holders.size() < run.config().timeline) {
      outcome.holders.push_back(point_of(holding, from));
    }
  }
  outcome.locks_untold = asked - used;
  // When there was no more room, nothing is known about the time after.
  outcome.lock = lock_figures(std::move(holdings), from, asked > used ? std::min(last, until) : until);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Get>
double median_over(const std::vector<Outcome>& runs, Get get) {
  std::vector<double> values;
  for (const auto& run : runs)
    values.push_back(get(run));
  return median(std::move(values));
}

/// `get(run)` is the run's Latencies.
template <class Get>
Latencies median_latencies(const std::vector<Outcome>& runs, Get get) {
  const auto over = [&](double Latencies::*field) {
    return median_over(runs, [&](const Outcome& run) { return get(run).*field; });
  };
  Latencies result;
  for (const auto& run : runs) {
    result.count += get(run).count;
    result.max_us = std::max(result.max_us, get(run).max_us);
  }
  result.mean_us = over(&Latencies::mean_us);
  result.p50_us = over(&Latencies::p50_us);
  result.p90_us = over(&Latencies::p90_us);
  result.p99_us = over(&Latencies::p99_us);
  result.p999_us = over(&Latencies::p999_us);
  return result;
}

LockFigures median_lock(const std::vector<Outcome>& runs) {
  LockFigures result;
  result.locks = runs.front().lock.locks;
  result.wait = median_latencies(runs, [](const Outcome& run) { return run.lock.wait; });
  result.hold = median_latencies(runs, [](const Outcome& run) { return run.lock.hold; });
  result.handover = median_latencies(runs, [](const Outcome& run) { return run.lock.handover; });
  result.wasted_us = median_over(runs, [](const Outcome& run) { return run.lock.wasted_us; });
  result.wasted_share = median_over(runs, [](const Outcome& run) { return run.lock.wasted_share; });
  result.held_share = median_over(runs, [](const Outcome& run) { return run.lock.held_share; });
  for (const auto& run : runs)
    result.overtakings += run.lock.overtakings;
  return result;
}

}  // namespace

Outcome read_outcome(const SharedRun& run, std::int64_t ended_ns) {
  const RunHeader& header = run.header();
  Outcome outcome;
  outcome.backend = header.backend.data();
  outcome.durability = header.durability.data();
  const auto until = std::min(header.measure_until.load(), ended_ns);
  const auto window_ns = static_cast<double>(until - header.measure_from.load());
  outcome.seconds = std::max(0.0, window_ns / 1e9);
  Histogram writes;
  Histogram reads;
  Histogram all;
  std::vector<double> shares;
  for (std::size_t writer = 0; writer < run.config().all_writers(); ++writer) {
    const WriterSlot& slot = run.slot(writer);
    read_slot(slot, window_ns, outcome, shares);
    writes.add(slot.writes);
    reads.add(slot.reads);
    all.add(slot.writes);
    all.add(slot.reads);
  }
  outcome.all = Latencies(all);
  outcome.writes = Latencies(writes);
  outcome.reads = Latencies(reads);
  outcome.jain = jain_index(shares);
  outcome.first_failure = run.failure();
  outcome.timeline = read_timeline(run);
  read_holds(run, until, outcome);
  return outcome;
}

Outcome median_of(const std::vector<Outcome>& runs) {
  Outcome result;
  result.backend = runs.front().backend;
  result.durability = runs.front().durability;
  result.seconds = median_over(runs, [](const Outcome& run) { return run.seconds; });
  result.ops_per_s = median_over(runs, [](const Outcome& run) { return run.ops_per_s; });
  result.jain = median_over(runs, [](const Outcome& run) { return run.jain; });
  result.all = median_latencies(runs, [](const Outcome& run) { return run.all; });
  result.writes = median_latencies(runs, [](const Outcome& run) { return run.writes; });
  result.reads = median_latencies(runs, [](const Outcome& run) { return run.reads; });
  result.lock = median_lock(runs);
  result.lock_source = runs.front().lock_source;
  for (const auto& run : runs) {
    result.operations += run.operations;
    result.failed += run.failed;
    result.failed_warm_up += run.failed_warm_up;
    for (const auto& [kind, count] : run.errors)
      result.errors[kind] += count;
    if (result.first_failure.empty()) result.first_failure = run.first_failure;
    result.locks_untold += run.locks_untold;
    // Known in all runs or not told.
    if (run.lock_source != result.lock_source) result.lock_source = LockSource::none;
    if (result.timeline.empty()) result.timeline = run.timeline;
    if (result.holders.empty()) result.holders = run.holders;
  }
  return result;
}

}  // namespace sessile::bench
