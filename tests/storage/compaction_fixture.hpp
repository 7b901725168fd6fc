// A store that compacts logs beside their writers already when these are small.
#pragma once

#include "json_directory_fixture.hpp"
#include "storage/log_record.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <string>
#include <string_view>
#include <thread>

namespace sessile::json_directory::testing {

inline constexpr std::size_t kNoteBytes = 10'000;

/// Of the file that a compaction writes; of a write's own as well.
inline bool is_beside(const std::string& name) {
  return name.starts_with("s.jsonl.tmp.");
}

/// Stops one who comes by, until it is let go.
class Gate {
 public:
  void stop() {
    came_.set_value();
    go_.get_future().wait_for(kLongest);
  }
  void wait_until_somebody_came() {
    CHECK(came_.get_future().wait_for(kLongest) == std::future_status::ready);
  }
  void let_go() { go_.set_value(); }

 private:
  static constexpr std::chrono::seconds kLongest{10};
  std::promise<void> came_;
  std::promise<void> go_;
};

class CompactionFixture : public Fixture {
 public:
  CompactionFixture() {
    compaction.small_log_bytes = 40'000;
    compaction.small_session_bytes = 20'000;
    reopen();
  }
  ~CompactionFixture() noexcept(false) { faults->before = nullptr; }

  /// Another one on the same directory, which remembers for itself.
  std::shared_ptr<SessionStore> other_store() {
    return detail::make_json_directory_store_on(std::make_shared<storage::testing::FaultyFileSystem>(faults),
                                                root(), LockOptions(), OpenOptions(), compaction)
        .value();
  }

  /// Makes the log longer, and the session not.
  Result<SessionPtr> note(Durability durability = Durability::process, SessionStore* by = nullptr) {
    const std::string text(kNoteBytes, static_cast<char>('a' + ++notes % 26));
    const auto change = [&text](Session& session) { session.set_metadata("note", json::value(text)); };
    return blocking::update(by != nullptr ? *by : *store, "s", Mutation(change),
                            UpdateOptions().durability(durability));
  }
  std::uint64_t end_of_log() const { return storage::scan_log(content("s")).value().end; }
  std::uint64_t bound() {
    const auto session = load("s");
    return compaction.bound(session ? (*session)->stored_bytes : 0);
  }
  std::size_t records() const { return storage::scan_log(content("s")).value().records.size(); }

  /// A session whose log is due with the next note.
  void make_nearly_due() {
    REQUIRE(save(conversation("s", "a", 3, 10'000)));
    REQUIRE(note());
    while (end_of_log() + kNoteBytes + 2'000 < bound())
      REQUIRE(note());
    while (end_of_log() + kNoteBytes + 300 < bound())
      REQUIRE(append("s", "a little", AppendOptions().durability(Durability::process)));
    messages_at_first = load("s").value()->messages.size();
  }
  /// False: it does not come to be.
  template <class Condition>
  static bool wait_until(Condition condition) {
    for (int i = 0; i < 10'000 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }
  void close() { REQUIRE(blocking::close(*store)); }
  std::size_t files_beside() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(root() / "sessions"))
      count += is_beside(entry.path().filename().string());
    return count;
  }

  int notes = 0;
  std::size_t messages_at_first = 0;
};

}  // namespace sessile::json_directory::testing
