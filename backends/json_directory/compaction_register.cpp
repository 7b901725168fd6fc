#include "compaction_register.hpp"

#include <iterator>

namespace sessile::json_directory {

namespace {

/// What is forgotten costs a compaction that may be in vain.
constexpr std::size_t kMostRemembered = 1024;

}  // namespace

const std::shared_ptr<CompactionRegister>& CompactionRegister::of_the_process() {
  // Never destroyed: compactions may end while the program does.
  static const auto& shared =
      *new std::shared_ptr<CompactionRegister>(std::make_shared<CompactionRegister>());
  return shared;
}

bool CompactionRegister::begin(const storage::Directory& sessions, const std::string& log,
                               const storage::LogMark& mark) {
  const std::scoped_lock lock(mutex_);
  const auto [found, is_new] = entries_.try_emplace(Key(sessions.identity(), log));
  Entry& entry = found->second;
  const bool given_up = !is_new && entry.identity == mark.identity && entry.born == mark.born;
  if (given_up || (!is_new && entry.running)) return false;
  entry = Entry();
  return true;
}

void CompactionRegister::end(const storage::Directory& sessions, const std::string& log,
                             const storage::LogMark& mark, bool given_up) noexcept {
  const std::scoped_lock lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    const bool ends = at->first.first == sessions.identity() && at->first.second == log;
    if (ends) {
      entry.running = false;
      entry.identity = mark.identity;
      entry.born = mark.born;
    }
    const bool forgotten = ends ? !given_up : entries_.size() > kMostRemembered;
    at = forgotten && !entry.running ? entries_.erase(at) : std::next(at);
  }
}

}  // namespace sessile::json_directory
