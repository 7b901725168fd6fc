#include "storage/poison_mark.hpp"

#include <exception>
#include <mutex>
#include <set>
#include <utility>

namespace sessile::storage {

namespace {

constexpr std::string_view kPoisonMark = ".poisoned";

/// The poisoned files of this process: for when the mark cannot be written either.
class Poisoned {
 public:
  using Key = std::pair<FileIdentity, std::string>;
  void add(Key key) {
    std::scoped_lock lock(mutex_);
    keys_.insert(std::move(key));
  }
  bool remove(const Key& key) {
    std::scoped_lock lock(mutex_);
    return keys_.erase(key) != 0;
  }
  bool contains(const Key& key) const {
    std::scoped_lock lock(mutex_);
    return keys_.contains(key);
  }

 private:
  mutable std::mutex mutex_;
  std::set<Key> keys_;  // protected by mutex_
};

Poisoned& poisoned() {
  static Poisoned& instance = *new Poisoned;  // never destroyed: the pool's last work ends after main
  return instance;
}

}  // namespace

std::string poison_mark_of(std::string_view name) {
  return std::string(name).append(kPoisonMark);
}

std::optional<std::string> name_of_poison_mark(std::string_view entry) {
  if (!entry.ends_with(kPoisonMark) || entry.size() == kPoisonMark.size()) return std::nullopt;
  return std::string(entry.substr(0, entry.size() - kPoisonMark.size()));
}

void mark_poisoned(Directory& directory, const std::string& name) {
  const Poisoned::Key key(directory.identity(), name);
  poisoned().add(key);
  auto mark = directory.open_file(poison_mark_of(name), OpenMode::create_exclusive);
  // Then the mark says it, which whoever writes the file anew takes away, in whatever process.
  if (mark || mark.error() == boost::system::errc::file_exists) poisoned().remove(key);
}

bool is_poisoned(Directory& directory, const std::string& name) {
  if (poisoned().contains({directory.identity(), name})) return true;
  // Whatever keeps the mark from being seen must not let a poisoned file pass for a good one.
  auto mark = directory.info(poison_mark_of(name));
  return mark.has_value() || mark.error() != boost::system::errc::no_such_file_or_directory;
}

void clear_poison(Directory& directory, const std::string& name) noexcept {
  try {
    const bool known = poisoned().remove({directory.identity(), name});
    if (known || directory.info(poison_mark_of(name))) (void)directory.remove(poison_mark_of(name));
  } catch (const std::exception&) {
    // A mark that stays behind costs one more replacement, no data.
  }
}

}  // namespace sessile::storage
