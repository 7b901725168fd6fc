#include "bench/measure/outcome.hpp"

#include <algorithm>

namespace sessile::bench {

Latencies::Latencies(const Histogram& histogram)
    : count(histogram.count()),
      mean_us(histogram.mean_us()),
      p50_us(histogram.quantile_us(0.5)),
      p90_us(histogram.quantile_us(0.9)),
      p99_us(histogram.quantile_us(0.99)),
      p999_us(histogram.quantile_us(0.999)),
      max_us(histogram.max_us()) {}

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

Latencies median_latencies(const std::vector<Outcome>& runs, Latencies Outcome::*which) {
  const auto over = [&](double Latencies::*field) {
    return median_over(runs, [&](const Outcome& run) { return run.*which.*field; });
  };
  Latencies result;
  for (const auto& run : runs) {
    result.count += (run.*which).count;
    result.max_us = std::max(result.max_us, (run.*which).max_us);
  }
  result.mean_us = over(&Latencies::mean_us);
  result.p50_us = over(&Latencies::p50_us);
  result.p90_us = over(&Latencies::p90_us);
  result.p99_us = over(&Latencies::p99_us);
  result.p999_us = over(&Latencies::p999_us);
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
  return outcome;
}

Outcome median_of(const std::vector<Outcome>& runs) {
  Outcome result;
  result.backend = runs.front().backend;
  result.durability = runs.front().durability;
  result.seconds = median_over(runs, [](const Outcome& run) { return run.seconds; });
  result.ops_per_s = median_over(runs, [](const Outcome& run) { return run.ops_per_s; });
  result.jain = median_over(runs, [](const Outcome& run) { return run.jain; });
  result.all = median_latencies(runs, &Outcome::all);
  result.writes = median_latencies(runs, &Outcome::writes);
  result.reads = median_latencies(runs, &Outcome::reads);
  for (const auto& run : runs) {
    result.operations += run.operations;
    result.failed += run.failed;
    result.failed_warm_up += run.failed_warm_up;
    for (const auto& [kind, count] : run.errors)
      result.errors[kind] += count;
    if (result.first_failure.empty()) result.first_failure = run.first_failure;
    if (result.timeline.empty()) result.timeline = run.timeline;
  }
  return result;
}

}  // namespace sessile::bench
