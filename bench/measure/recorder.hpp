// Where a writer notes what each of its operations took and how it ended.
#pragma once

#include "bench/measure/holdings.hpp"
#include "bench/measure/plan.hpp"
#include "bench/measure/shared_run.hpp"

#include <sessile/lock_observer.hpp>

#include <optional>

namespace sessile::bench {

/// One writer's entry into the shared counters. Used by one thread at a time.
///
/// Every operation that ends after the window has begun is in the histogram, failed ones too, and so is the
/// one still running when the window ends, for as long as it takes: a writer that starves shows. Throughput
/// counts what succeeded within the window.
class Recorder {
 public:
  Recorder(const SharedRun& run, std::size_t writer)
      : run_(run), slot_(run.slot(writer)), writer_(static_cast<std::uint32_t>(writer)) {}

  /// Takes over the window, which is known once all processes are ready. Before all else.
  void begin() noexcept {
    from_ = run_.header().measure_from.load();
    until_ = run_.header().measure_until.load();
  }

  /// True until the window has ended or the run is stopped.
  bool more() const noexcept {
    return now_ns() < until_ && run_.header().stop.load(std::memory_order_relaxed) == 0;
  }

  void record(const Step& step, std::int64_t start, std::int64_t end, const std::optional<Error>& failure);
  /// Notes time that a writer spent in the window on what is not measured.
  void set_aside(std::int64_t start, std::int64_t end) noexcept;

 private:
  void note_failure(const Error& failure, bool in_warm_up);
  void note_timeline(const Step& step, std::int64_t start, std::int64_t end) noexcept;

  const SharedRun& run_;
  WriterSlot& slot_;
  std::uint32_t writer_;
  std::int64_t from_ = 0;
  std::int64_t until_ = 0;
};

/// Keeps the times of the locks of one process in the shared memory, from the window's beginning on, as far
/// as there is room. Thread-safe.
class HoldRecorder {
 public:
  /// `run` must outlive it.
  HoldRecorder(const SharedRun& run, std::size_t process)
      : run_(&run), process_(static_cast<std::uint32_t>(process)) {}

  /// As a LockObserver: what a store tells.
  void operator()(const LockEvent& event) const noexcept;
  /// What was seen from outside: an update whose mutation began at `acquired`.
  void note_mutation(std::uint64_t lock, std::int64_t requested, std::int64_t acquired,
                     std::int64_t released) const noexcept;
  void note_repeated_mutation() const noexcept;

 private:
  void keep(const Holding& holding, bool from_mutation) const noexcept;

  const SharedRun* run_;
  std::uint32_t process_;
};

}  // namespace sessile::bench
