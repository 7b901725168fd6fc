// Writers and readers of a session whose log is compacted beside them.
#include "compaction_fixture.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <map>
#include <vector>

namespace sessile::json_directory {

using testing::CompactionFixture;
using testing::kNoteBytes;

TEST_CASE("Readers beside compactions and writers see whole sessions only, each as it was acknowledged") {
  CompactionFixture f;
  REQUIRE(f.save(testing::conversation("s", "a", 3, 10'000)));
  std::atomic<bool> done = false;
  std::atomic<int> loads = 0;
  const auto read = [&](SessionStore& store) {
    Revision last = 0;
    std::size_t messages = 0;
    std::vector<std::string> wrong;
    while (!done) {
      const auto loaded = blocking::load(store, "s");
      if (!loaded) {
        wrong.push_back(loaded.error().message());
        continue;
      }
      if ((*loaded)->revision < last || (*loaded)->messages.size() < messages) wrong.push_back("went back");
      last = (*loaded)->revision;
      messages = (*loaded)->messages.size();
      const auto page = blocking::list(store);
      if (!page || page->items.size() != 1 || !page->unreadable.empty()) wrong.push_back("the listing");
      ++loads;
    }
    return wrong;
  };
  const auto other = f.other_store();
  auto ours = std::async(std::launch::async, [&] { return read(*f.store); });
  auto theirs = std::async(std::launch::async, [&] { return read(*other); });
  std::atomic<int> renamed = 0;
  for (int i = 0; i < 300; ++i) {
    REQUIRE(f.note());
    if (i % 3 == 0) REQUIRE(f.append("s", "m", AppendOptions().durability(Durability::process)));
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  done = true;
  CHECK(ours.get() == std::vector<std::string>());
  CHECK(theirs.get() == std::vector<std::string>());
  CHECK(loads > 10);
  f.close();
  f.reopen();
  CHECK(f.load("s").value()->messages.size() == 103);
}

TEST_CASE("Many writers of one session, of two stores, beside compactions lose nothing") {
  CompactionFixture f;
  REQUIRE(f.save(testing::conversation("s", "a", 3, 10'000)));
  const auto other = f.other_store();
  const auto write = [&](SessionStore& store, int self) {
    for (int i = 0; i < 60; ++i) {
      const Message message("user", json::value(std::to_string(self) + " " + std::to_string(i)));
      REQUIRE(blocking::append(store, "s", {message}, AppendOptions().durability(Durability::process)));
      const auto change = [&](Session& session) {
        session.set_metadata("note", json::value(std::string(kNoteBytes, static_cast<char>('a' + i % 26))));
      };
      REQUIRE(
          blocking::update(store, "s", Mutation(change), UpdateOptions().durability(Durability::process)));
      if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  };
  std::vector<std::future<void>> writers;
  for (int i = 0; i < 4; ++i)
    writers.push_back(std::async(std::launch::async, [&, i] { write(i % 2 == 0 ? *f.store : *other, i); }));
  for (auto& writer : writers)
    writer.get();
  f.close();
  REQUIRE(blocking::close(*other));
  f.reopen();
  std::map<std::string, int> next;
  const auto loaded = f.load("s").value();
  CHECK(loaded->messages.size() == 3 + 4 * 60);
  for (std::size_t i = 3; i < loaded->messages.size(); ++i) {
    const std::string text(loaded->messages[i].content.as_string().c_str());
    const std::size_t space = text.find(' ');
    CHECK(std::stoi(text.substr(space)) == next[text.substr(0, space)]++);
  }
  CHECK(f.files_beside() == 0);
}

}  // namespace sessile::json_directory
