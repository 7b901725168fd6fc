#include "bench/measure/lock_cost.hpp"

#include "bench/engines/engine.hpp"
#include "bench/engines/posix_file.hpp"
#include "bench/measure/shared_run.hpp"
#include "storage/advisory_lock.hpp"

#include <sessile/wait.hpp>

#include <boost/interprocess/sync/file_lock.hpp>

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <functional>

namespace sessile::bench {

namespace {

constexpr const char* kSidecar = "uncontended.lock";

Result<void> lock_file(const std::string& path, LockPrimitive primitive) {
  if (primitive == LockPrimitive::interprocess) {
    boost::interprocess::file_lock lock(path.c_str());
    return lock.try_lock() ? success() : Result<void>(Error(Errc::locked, "somebody else has the lock"));
  }
  auto file = PosixFile::open(path, O_RDWR);
  if (!file) return file.error();
  class flock region {};
  region.l_type = F_WRLCK;
  region.l_whence = SEEK_SET;
  const int refused = primitive == LockPrimitive::flock ? ::flock(file->get(), LOCK_EX | LOCK_NB)
                                                        : ::fcntl(file->get(), F_OFD_SETLK, &region);
  if (refused != 0) return system_error("lock", errno);
  return success();
}

Result<void> bare(const std::string& path, LockPrimitive primitive, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    if (auto done = lock_file(path, primitive); !done) return done;
  }
  return success();
}

Async<void> bare_via_pool(std::string path, LockPrimitive primitive, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    auto done = co_await storage::run_on(storage::io_executor(), [&path, primitive](storage::CommitGate&) {
      return lock_file(path, primitive);
    });
    if (!done) co_return done;
  }
  co_return success();
}

Result<void> try_lock(storage::Directory& directory, LockPrimitive primitive, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    auto lock = directory.try_lock(kSidecar, primitive);
    if (!lock) return system_error("lock", lock.error().value());
  }
  return success();
}

Async<void> run_locked(storage::AdvisoryLock lock, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    auto done = co_await lock.run_locked<void>(lock.deadline(std::chrono::milliseconds(0)),
                                               [](storage::CommitGate&) { return success(); });
    if (!done) co_return done;
  }
  co_return success();
}

}  // namespace

double LockCost::median_ns() const {
  std::vector<double> sorted = rounds_ns;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

Result<std::vector<LockCost>> measure_lock_costs(const std::filesystem::path& directory,
                                                 LockPrimitive primitive, std::size_t times,
                                                 std::size_t rounds) {
  auto opened = storage::real_file_system()->open_directory(directory);
  if (!opened) return system_error("open the directory", opened.error().value());
  if (auto made = PosixFile::open((directory / kSidecar).string(), O_RDWR | O_CREAT); !made)
    return made.error();
  const std::string path = (directory / kSidecar).string();
  const storage::AdvisoryLock lock(*opened, kSidecar, LockOptions().primitive(primitive),
                                   storage::io_executor());
  const std::vector<std::pair<std::string, std::function<Result<void>()>>> ways = {
      {"bare", [&] { return bare(path, primitive, times); }},
      {"bare via pool", [&] { return blocking::wait(bare_via_pool(path, primitive, times)); }},
      {"try_lock", [&] { return try_lock(**opened, primitive, times); }},
      {"run_locked", [&] { return blocking::wait(run_locked(lock, times)); }},
  };
  std::vector<LockCost> costs(ways.size());
  // The first round warms up, and is not kept.
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const auto start = now_ns();
      if (auto done = ways[way].second(); !done) return done.error();
      const auto mean = static_cast<double>(now_ns() - start) / static_cast<double>(times);
      costs[way].name = ways[way].first;
      if (round > 0) costs[way].rounds_ns.push_back(mean);
    }
  }
  return costs;
}

}  // namespace sessile::bench
