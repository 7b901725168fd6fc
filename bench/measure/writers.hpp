// The writers of one process: coroutines that drive a SessionStore, or threads that drive a rival.
#pragma once

#include "bench/engines/engine.hpp"
#include "bench/measure/shared_run.hpp"

#include <sessile/store.hpp>

#include <functional>
#include <memory>

namespace sessile::bench {

/// Stores, unmeasured, the sessions that the workload starts from. Called in one process.
Result<void> prepare(const RunConfig& config, const std::shared_ptr<SessionStore>& store);
Result<void> prepare(const RunConfig& config, Rival& rival);

/// Waits until all processes are ready and the window is known; false: the run was stopped.
using StartGate = std::function<bool()>;

/// Makes this process's writers ready, waits at the gate, runs them through warm-up and window, and returns
/// when the last operation has ended. With `clean_up` they then remove the sessions they made.
void run_writers(const SharedRun& run, std::size_t process, const std::shared_ptr<SessionStore>& store,
                 const StartGate& start, bool clean_up);
Result<void> run_writers(const SharedRun& run, std::size_t process, Rival& rival, const StartGate& start);

/// Removes what prepare stored.
void clean_up(const RunConfig& config, const std::shared_ptr<SessionStore>& store);

/// The number of threads that a process's coroutines run on.
std::size_t executor_threads(const RunConfig& config) noexcept;

}  // namespace sessile::bench
