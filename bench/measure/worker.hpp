// One of the benchmark's processes.
#pragma once

#include <cstddef>
#include <string>

namespace sessile::bench {

/// The hidden first argument that makes sessile-bench a worker: `--worker NAME INDEX`.
inline constexpr const char* kWorkerArgument = "--worker";

/// Runs worker `process` of the run whose shared memory has that name. Returns the exit status.
int run_worker(const std::string& shared_memory, std::size_t process);

}  // namespace sessile::bench
