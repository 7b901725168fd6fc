// Starts a run's processes, waits for them, and reads what they counted.
#pragma once

#include "bench/measure/outcome.hpp"
#include "bench/progress.hpp"

namespace sessile::bench {

/// Runs `config` (its defaults filled in) once: in a directory of its own when the store is kept in one,
/// which is removed afterwards, in processes of its own, which have ended when this returns. `cancelled` when
/// the user interrupted it; what a worker could not do is that worker's error.
Result<Outcome> run_once(RunConfig config, Progress& progress);

/// True once the user asked to stop (SIGINT, SIGTERM). Installs itself on the first call.
bool interrupted() noexcept;

}  // namespace sessile::bench
