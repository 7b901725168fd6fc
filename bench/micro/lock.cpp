#include "storage/file_system.hpp"

#include <benchmark/benchmark.h>

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace sessile::bench {

namespace {

/// Taking and freeing a sidecar's lock that nobody else wants: the system calls of every write.
void lock_and_free(benchmark::State& state) {
  std::string place = (std::filesystem::temp_directory_path() / "sessile-micro-XXXXXX").string();
  if (::mkdtemp(place.data()) == nullptr) return state.SkipWithError("no temporary directory");
  {
    const auto directory = storage::real_file_system()->open_directory(place).value();
    for (auto _ : state)
      benchmark::DoNotOptimize(
          directory->try_lock("s.lock", static_cast<LockPrimitive>(state.range(0))).value());
  }
  std::filesystem::remove_all(place);
}
BENCHMARK(lock_and_free)
    ->ArgName("primitive")
    ->Arg(static_cast<int>(LockPrimitive::open_file_description))
    ->Arg(static_cast<int>(LockPrimitive::interprocess))
    ->Arg(static_cast<int>(LockPrimitive::flock));

}  // namespace

}  // namespace sessile::bench
