#include "storage/idle_sidecars.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <new>
#include <utility>

namespace sessile::storage {

namespace {

constexpr std::size_t kMost = 256;
constexpr std::size_t kShareOfAll = 8;

std::size_t most_open() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kMost;
  return std::min<std::size_t>(kMost, limit.rlim_cur / kShareOfAll);
}

}  // namespace

IdleSidecars::IdleSidecars() : most_(most_open()) {}

void IdleSidecars::put(FileIdentity identity, int directory, LockDescriptor file) noexcept try {
  if (most_ == 0) return;
  while (entries_.size() >= most_) {
    places_.erase(entries_.back().identity);
    entries_.pop_back();
  }
  Entries made(1);  // what may throw comes first: each entry has its place in both
  places_.insert_or_assign(identity, made.begin());
  made.front().identity = identity;
  made.front().directory = directory;
  made.front().file = std::move(file);
  entries_.splice(entries_.begin(), made);
} catch (const std::bad_alloc&) {
  // `file` is closed.
}

LockDescriptor IdleSidecars::take(FileIdentity identity) noexcept {
  const auto place = places_.find(identity);
  if (place == places_.end()) return LockDescriptor();
  LockDescriptor file = std::move(place->second->file);
  entries_.erase(place->second);
  places_.erase(place);
  return file;
}

void IdleSidecars::close_all(int directory) noexcept {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (entry->directory == directory) {
      places_.erase(entry->identity);
      entry = entries_.erase(entry);
    } else {
      ++entry;
    }
  }
}

}  // namespace sessile::storage
