#include "bench/measure/recorder.hpp"

#include <algorithm>
#include <functional>

namespace sessile::bench {

void Recorder::record(const Step& step, std::int64_t start, std::int64_t end,
                      const std::optional<Error>& failure) {
  if (failure) note_failure(*failure, end < from_);
  if (end < from_) return;
  auto& histogram = step.is_read() ? slot_.reads : slot_.writes;
  histogram.add(static_cast<std::uint64_t>(end - start));
  if (failure) return;
  if (end < until_) {
    slot_.completed.store(slot_.completed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  if (run_.config().timeline > 0) note_timeline(step, start, end);
}

void Recorder::set_aside(std::int64_t start, std::int64_t end) noexcept {
  const std::int64_t inside = std::min(end, until_) - std::max(start, from_);
  if (inside > 0) slot_.aside_ns.fetch_add(inside, std::memory_order_relaxed);
}

void Recorder::note_failure(const Error& failure, bool in_warm_up) {
  (in_warm_up ? slot_.failed_warm_up : slot_.failed).fetch_add(1, std::memory_order_relaxed);
  if (!in_warm_up) {
    slot_.errors[static_cast<std::size_t>(failure.code())].fetch_add(1, std::memory_order_relaxed);
  }
  run_.report_failure(failure.message());
}

void Recorder::note_timeline(const Step& step, std::int64_t start, std::int64_t end) noexcept {
  const std::uint64_t index = run_.header().timeline_used.fetch_add(1, std::memory_order_relaxed);
  if (index >= run_.config().timeline) return;
  TimelineEntry& entry = run_.timeline(static_cast<std::size_t>(index));
  entry.writer = writer_;
  entry.is_read = step.is_read() ? 1 : 0;
  entry.start_ns = start;
  entry.end_ns.store(end, std::memory_order_release);
}

void HoldRecorder::operator()(const LockEvent& event) const noexcept {
  const auto ns = [](std::chrono::steady_clock::time_point when) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
  };
  // The same in all processes: they are one program.
  const std::uint64_t lock = std::hash<std::string_view>()(event.lock);
  keep(Holding(lock, ns(event.requested), event.acquired ? ns(*event.acquired) : 0, ns(event.released)),
       false);
}

void HoldRecorder::note_mutation(std::uint64_t lock, std::int64_t requested, std::int64_t acquired,
                                 std::int64_t released) const noexcept {
  keep(Holding(lock, requested, acquired, released), true);
}

void HoldRecorder::note_repeated_mutation() const noexcept {
  run_->header().mutations_repeated.fetch_add(1, std::memory_order_relaxed);
}

void HoldRecorder::keep(const Holding& holding, bool from_mutation) const noexcept {
  RunHeader& header = run_->header();
  const std::int64_t from = header.measure_from.load(std::memory_order_relaxed);
  if (from == 0 || holding.released < from) return;
  const std::uint64_t index = header.holds_used.fetch_add(1, std::memory_order_relaxed);
  if (index >= run_->config().holds) return;
  HoldEntry& entry = run_->hold(static_cast<std::size_t>(index));
  entry.lock = holding.lock;
  entry.process = process_;
  entry.from_mutation = from_mutation ? 1 : 0;
  entry.requested = holding.requested;
  entry.acquired = holding.acquired;
  entry.released.store(holding.released, std::memory_order_release);
}

}  // namespace sessile::bench
