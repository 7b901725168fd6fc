// The simulator is as strict as a disk, and no stricter: what cannot happen is not made up, what can is
// found.
#include "simulated_file_system.hpp"
#include "crash_states.hpp"
#include "storage/replace_file.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <map>
#include <set>

using namespace sessile;
using namespace sessile::crash;
using storage::OpenMode;

namespace {

std::shared_ptr<storage::Directory> root_of(Machine& machine) {
  return machine.files()->open_directory("/").value();
}

void put(storage::Directory& directory, const std::string& name, std::string_view text, bool sync) {
  auto file = directory.open_file(name, OpenMode::create_exclusive).value();
  REQUIRE(file->write_at(0, std::span(text)).value() == text.size());
  if (sync) REQUIRE(file->sync_data().has_value());
}

/// What the files in the root directory may hold after a loss of power, each as text.
std::set<std::map<std::string, std::string>> after_power_loss(const Disk& disk, std::size_t tears = 400) {
  Sampling sampling;
  sampling.states = 100'000;
  sampling.tears = tears;
  std::set<std::map<std::string, std::string>> found;
  power_loss_states(disk, sampling, [&](const CrashState& state) {
    std::map<std::string, std::string> files;
    for (const auto& [name, entry] : state.disk.directory(kRoot)->current) {
      const FileNode* node = state.disk.file(entry.inode);
      files[name] = node == nullptr ? "/" : *node->current;
    }
    found.insert(std::move(files));
    return true;
  });
  return found;
}

using Files = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("What was not synced may be lost, and what was may not") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  put(*root, "f", "one", true);
  auto found = after_power_loss(machine.disk());
  CHECK(found == std::set<Files>{{}, {{"f", "one"}}});  // the data is durable, its name is not
  REQUIRE(root->sync().has_value());
  CHECK(after_power_loss(machine.disk()) == std::set<Files>{{{"f", "one"}}});
}

TEST_CASE("A name may be durable before what it stands for is") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  put(*root, "f", "abcd", false);
  REQUIRE(root->sync().has_value());
  const auto found = after_power_loss(machine.disk());
  CHECK(found.contains({{"f", ""}}));
  CHECK(found.contains({{"f", "ab"}}));
  CHECK(found.contains({{"f", std::string(4, '\0')}}));
  CHECK(found.contains({{"f", std::string("ab\0\0", 4)}}));
  CHECK(found.contains({{"f", "abcd"}}));
  CHECK_FALSE(found.contains({}));
  for (const Files& files : found) {
    const std::string& text = files.at("f");
    for (std::size_t i = 0; i < text.size(); ++i)
      CHECK((text[i] == "abcd"[i] || text[i] == '\0'));
  }
}

TEST_CASE("A rename is one step: never both names, never none") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  put(*root, "old", "1", true);
  put(*root, "new", "2", true);
  REQUIRE(root->sync().has_value());
  REQUIRE(root->rename("new", "old").has_value());
  CHECK(after_power_loss(machine.disk()) == std::set<Files>{{{"old", "1"}, {"new", "2"}}, {{"old", "2"}}});
}

TEST_CASE("Changes of different names may become durable in any order, those of one name only in theirs") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  put(*root, "a", "1", true);
  put(*root, "b", "2", true);
  REQUIRE(root->remove("a").has_value());
  CHECK(after_power_loss(machine.disk()) ==
        std::set<Files>{{}, {{"a", "1"}}, {{"b", "2"}}, {{"a", "1"}, {"b", "2"}}});
  REQUIRE(root->sync().has_value());
  REQUIRE(root->rename("b", "c").has_value());
  put(*root, "b", "3", true);
  const auto found = after_power_loss(machine.disk());
  CHECK(found == std::set<Files>{{{"b", "2"}}, {{"c", "2"}}, {{"b", "3"}, {"c", "2"}}});
}

TEST_CASE("A write over what is there leaves old or new bytes, and whole sectors but for one tear") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  const std::string before(2000, 'o');
  put(*root, "f", before, true);
  REQUIRE(root->sync().has_value());
  auto file = root->open_file("f", OpenMode::read_write).value();
  const std::string next(1500, 'n');
  REQUIRE(file->write_at(100, std::span(next)).has_value());
  const auto found = after_power_loss(machine.disk());
  bool hole = false;
  for (const Files& files : found) {
    const std::string& text = files.at("f");
    CHECK(text.size() == before.size());
    CHECK(text.find_first_not_of("on") == std::string::npos);
    CHECK(text.substr(0, 100) + text.substr(1600) == std::string(500, 'o'));
    hole = hole || text.substr(0, 700).ends_with("no") || text.substr(512, 512) == std::string(512, 'o');
  }
  CHECK(hole);
  CHECK(found.size() > 20);
}

TEST_CASE("A failed sync is not made good by a later one that succeeds") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  auto file = root->open_file("f", OpenMode::create_exclusive).value();
  REQUIRE(root->sync().has_value());
  REQUIRE(file->write_at(0, std::span(std::string_view("lost"))).has_value());
  machine.before = [](const SeamCall& call) { return call.kind == "sync" ? EIO : 0; };
  CHECK(file->sync_data().error().value() == EIO);
  machine.before = nullptr;
  REQUIRE(file->sync_data().has_value());
  CHECK(after_power_loss(machine.disk()).contains({{"f", ""}}));
  std::string read(4, ' ');
  CHECK(file->read_at(0, std::span(read)).value() == 4);
  CHECK(read == "lost");  // as long as the cache holds it
  // What is written anew is durable.
  REQUIRE(file->write_at(0, std::span(std::string_view("good"))).has_value());
  REQUIRE(file->sync_data().has_value());
  CHECK(after_power_loss(machine.disk()) == std::set<Files>{{{"f", "good"}}});
}

TEST_CASE("A truncation may be lost, and may be half done") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  put(*root, "f", "abcdef", true);
  REQUIRE(root->sync().has_value());
  auto file = root->open_file("f", OpenMode::read_write).value();
  REQUIRE(file->truncate(2).has_value());
  CHECK(after_power_loss(machine.disk()) ==
        std::set<Files>{{{"f", "ab"}}, {{"f", "abcdef"}}, {{"f", std::string("ab\0\0\0\0", 6)}}});
}

TEST_CASE("A process that dies leaves what it wrote in the cache, and its locks free") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  put(*root, "f", "ab", false);
  const Disk before = machine.disk();
  Sampling sampling;
  std::set<std::string> found;
  Change last;
  last.kind = Change::Kind::write;
  last.inode = before.files().begin()->first;
  last.offset = 2;
  last.data = std::make_shared<const std::string>("cde");
  process_death_states(before, last, sampling, [&](const CrashState& state) {
    found.insert(*state.disk.file(last.inode)->current);
    return true;
  });
  CHECK(found.contains("abcde"));
  CHECK(found.contains("abc"));
  for (const std::string& text : found)
    CHECK(std::string("abcde").starts_with(text));
  const auto lock = root->try_lock("l", LockPrimitive::automatic).value();
  CHECK(root->try_lock("l", LockPrimitive::automatic).error().value() == EWOULDBLOCK);
  Machine next(machine.disk());
  CHECK(root_of(next)->try_lock("l", LockPrimitive::automatic).has_value());
}

TEST_CASE("Calls answer as the operating system's do") {
  Machine machine{Disk()};
  auto root = root_of(machine);
  CHECK(root->open_file("f", OpenMode::read).error().value() == ENOENT);
  put(*root, "f", "x", false);
  CHECK(root->open_file("f", OpenMode::create_exclusive).error().value() == EEXIST);
  CHECK(root->open_directory("f").error().value() == ENOTDIR);
  REQUIRE(root->make_directory("d").has_value());
  CHECK(root->make_directory("d").error().value() == EEXIST);
  CHECK(root->open_file("d", OpenMode::read).error().value() == EISDIR);
  CHECK(root->remove("d").error().value() == EISDIR);
  auto inner = root->open_directory("d").value();
  put(*inner, "g", "y", false);
  REQUIRE(inner->remove("g").has_value());
  CHECK(inner->open_file("g", OpenMode::read).error().value() == ENOENT);
  machine.longest_write = 3;
  auto file = root->open_file("f", OpenMode::read_write).value();
  CHECK(file->write_at(0, std::span(std::string_view("abcdef"))).value() == 3);
  CHECK(machine.open_files() == 1);
  file.reset();
  inner.reset();
  root.reset();
  CHECK(machine.open_files() + machine.open_directories() == 0);
}

TEST_CASE("A writer that renames without a sync is caught losing data, and one that syncs is not") {
  for (const Durability durability : {Durability::process, Durability::power}) {
    Machine machine{Disk()};
    auto root = root_of(machine);
    storage::CommitGate first;
    REQUIRE(storage::replace_file(*root, "f", "old", Durability::power, first));
    storage::CommitGate second;
    REQUIRE(storage::replace_file(*root, "f", "new", durability, second));
    bool lost = false;
    for (const Files& files : after_power_loss(machine.disk()))
      lost = lost || !files.contains("f") || files.at("f") != "new";
    CHECK(lost == (durability == Durability::process));
  }
}
