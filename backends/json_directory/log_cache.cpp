#include "log_cache.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace sessile::json_directory {

namespace {

constexpr std::size_t kMostEntries = 8192;
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;
/// A session larger than this is not kept: it would drive out all others.
constexpr std::uint64_t kLargestBytes = kMostBytes / 2;
constexpr std::uint64_t kEntryBytes = 1024;
/// Appends are kept apart until there are too many of them to look through.
constexpr std::size_t kMostAdded = 4096;
/// Values take about so many times the room of their JSON.
constexpr std::uint64_t kValueRatio = 2;

}  // namespace

std::uint64_t KnownLog::cost() const noexcept {
  std::uint64_t keys = 0;
  if (appends) {
    for (const AppendMemory::Entry& entry : appends->entries())
      keys += sizeof(entry) + entry.key.size() + entry.fingerprint.size();
  }
  return kEntryBytes + keys + (content.base ? kValueRatio * state.summary.stored_bytes : 0);
}

const std::shared_ptr<LogCache>& LogCache::of_the_process() {
  // Never destroyed: operations may end while the program does.
  static const auto& cache = *new std::shared_ptr<LogCache>(std::make_shared<LogCache>());
  return cache;
}

std::size_t LogCache::Hash::operator()(const Key& key) const noexcept {
  return std::hash<std::string>()(key.log) ^ (key.directory.inode * 0x9e3779b97f4a7c15U);
}

std::unique_ptr<KnownLog> LogCache::extract(Map::iterator entry) {
  by_use_.erase(entry->second.place);
  cost_ -= entry->second.cost;
  auto known = std::move(entry->second.known);
  entries_.erase(entry);
  return known;
}

std::unique_ptr<KnownLog> LogCache::take(const storage::Directory& sessions, const std::string& log) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(Key{sessions.identity(), log});
  return found == entries_.end() ? nullptr : extract(found);
}

void LogCache::put(const storage::Directory& sessions, const std::string& log,
                   std::unique_ptr<KnownLog> known) {
  insert(Key{sessions.identity(), log}, std::move(known), Terms::always);
}

void LogCache::offer(const storage::Directory& sessions, const std::string& log,
                     std::unique_ptr<KnownLog> known) {
  insert(Key{sessions.identity(), log}, std::move(known), Terms::if_newer);
}

void LogCache::offer_if_room(const storage::Directory& sessions, const std::string& log,
                             std::unique_ptr<KnownLog> known) {
  insert(Key{sessions.identity(), log}, std::move(known), Terms::if_newer_and_room);
}

bool LogCache::has_room(std::uint64_t cost, const Entry* old) const noexcept {
  const std::uint64_t freed = old ? old->cost : 0;
  return entries_.size() + (old ? 0 : 1) <= kMostEntries && cost_ - freed + cost <= kMostBytes;
}

void LogCache::insert(Key key, std::unique_ptr<KnownLog> known, Terms terms) {
  if (known->content.more.size() > kMostAdded || known->cost() > kLargestBytes) {
    known->content = KnownContent();
    known->loaded.reset();
  }
  std::vector<std::unique_ptr<KnownLog>> dropped;  // destroyed when the mutex is free again
  const std::scoped_lock lock(mutex_);
  const auto old = entries_.find(key);
  const Entry* const replaced = old == entries_.end() ? nullptr : &old->second;
  if (terms == Terms::if_newer_and_room && !has_room(known->cost(), replaced)) {
    dropped.push_back(std::move(known));
    return;
  }
  if (replaced) {
    const auto& mark = old->second.known->mark;
    const bool same_file = mark.identity == known->mark.identity && mark.born == known->mark.born;
    const bool as_much = old->second.known->loaded.has_value() || mark.seq > known->mark.seq;
    if (terms != Terms::always && same_file && mark.seq >= known->mark.seq && as_much) {
      dropped.push_back(std::move(known));
      return;
    }
    dropped.push_back(extract(old));
  }
  std::list<const Key*> use(1);  // what may throw comes first: each entry has its place in both
  const auto placed = entries_.emplace(std::move(key), Entry()).first;
  use.front() = &placed->first;
  by_use_.splice(by_use_.begin(), use);
  placed->second.place = by_use_.begin();
  placed->second.cost = known->cost();
  placed->second.known = std::move(known);
  cost_ += placed->second.cost;
  while (entries_.size() > kMostEntries || cost_ > kMostBytes)
    dropped.push_back(extract(entries_.find(*by_use_.back())));
}

std::optional<LoadedSession> LogCache::loaded(const storage::Directory& sessions, const std::string& log) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(Key{sessions.identity(), log});
  if (found == entries_.end()) return std::nullopt;
  by_use_.splice(by_use_.begin(), by_use_, found->second.place);
  return found->second.known->loaded;
}

}  // namespace sessile::json_directory
