// A whole file, old or new, whatever fails; and the modes and names of what is made.
#include "storage/replace_file.hpp"
#include "faulty_directory.hpp"
#include "scratch.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sessile::storage {

namespace {

using test::FaultyDirectory;
using test::Scratch;

Result<void> replace(Directory& directory, std::string_view content,
                     Durability durability = Durability::power) {
  CommitGate gate;
  return replace_file(directory, "a.json", content, durability, gate);
}

Errc code_for(int error_number) {
  switch (error_number) {
    case EFBIG:
      return Errc::too_large;
    case EIO:
      return Errc::io;
    default:
      return Errc::unavailable;
  }
}

/// RLIMIT_FSIZE for a while.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("P5 a write syncs the file before the rename and the directory after it") {
  Scratch scratch;
  auto faults = std::make_shared<test::Faults>();
  FaultyDirectory directory(faults, scratch.open());
  replace(directory, "new").value();
  CHECK(faults->calls ==
        std::vector<std::string>{"open", "write", "sync", "close", "rename", "sync directory"});
  faults->calls.clear();
  replace(directory, "newer", Durability::process).value();
  CHECK(faults->calls == std::vector<std::string>{"open", "write", "close", "rename"});
  CHECK(test::read(scratch / "a.json") == "newer");
}

TEST_CASE("a removal syncs the directory after it") {
  Scratch scratch;
  auto faults = std::make_shared<test::Faults>();
  FaultyDirectory directory(faults, scratch.open());
  replace(directory, "content").value();
  faults->calls.clear();
  CommitGate gate;
  remove_file(directory, "a.json", Durability::power, gate).value();
  CHECK(faults->calls == std::vector<std::string>{"sync directory"});
  CHECK(scratch.names().empty());
}

TEST_CASE("an exclusive creation refuses what is there, and leaves it as it is") {
  Scratch scratch;
  test::write(scratch / "a.json", "old");
  const auto made = scratch.open()->open_file("a.json", OpenMode::create_exclusive);
  REQUIRE_FALSE(made);
  CHECK(made.error().value() == EEXIST);
  CHECK(test::read(scratch / "a.json") == "old");
}

TEST_CASE(
    "P5 the temporary file is removed and the old one intact whichever call fails, with a typed error") {
  for (const int error_number : {EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EROFS, EFBIG}) {
    for (int index = 0; index < 5; ++index) {
      CAPTURE(index);
      CAPTURE(error_number);
      Scratch scratch;
      test::write(scratch / "a.json", "old");
      auto faults = std::make_shared<test::Faults>();
      faults->index = index;
      faults->error_number = error_number;
      FaultyDirectory directory(faults, scratch.open());
      auto replaced = replace(directory, "new");
      REQUIRE_FALSE(replaced);
      CHECK(replaced.error().code() == code_for(error_number));
      CHECK(replaced.error().cause().value() == error_number);
      CHECK(replaced.error().path() == (scratch / "a.json").string());
      // Nothing is tried again, a failed sync least of all.
      CHECK(faults->calls.size() == static_cast<std::size_t>(index) + 1);
      CHECK(scratch.names() == std::vector<std::string>{"a.json"});
      CHECK(test::read(scratch / "a.json") == "old");
    }
  }
}

TEST_CASE("a directory that cannot be synced after the rename makes the write indeterminate") {
  Scratch scratch;
  test::write(scratch / "a.json", "old");
  auto faults = std::make_shared<test::Faults>();
  faults->index = 5;
  FaultyDirectory directory(faults, scratch.open());
  auto replaced = replace(directory, "new");
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error().code() == Errc::indeterminate);
  CHECK(test::read(scratch / "a.json") == "new");
  CHECK(scratch.names() == std::vector<std::string>{"a.json"});
}

TEST_CASE("short writes are continued") {
  Scratch scratch;
  auto faults = std::make_shared<test::Faults>();
  faults->longest_write = 7;
  FaultyDirectory directory(faults, scratch.open());
  const std::string content(1000, 'x');
  replace(directory, content + "end").value();
  CHECK(test::read(scratch / "a.json") == content + "end");
}

TEST_CASE("a file over the process's size limit is too_large, and the signal does not end the program") {
  Scratch scratch;
  test::write(scratch / "a.json", "old");
  auto directory = scratch.open();
  {
    FileSizeLimit limit(4096);
    auto replaced = replace(*directory, std::string(10000, 'x'));
    REQUIRE_FALSE(replaced);
    CHECK(replaced.error().code() == Errc::too_large);
  }
  CHECK(scratch.names() == std::vector<std::string>{"a.json"});
  CHECK(test::read(scratch / "a.json") == "old");
}

TEST_CASE("a cancelled write leaves the old file and no temporary one") {
  Scratch scratch;
  test::write(scratch / "a.json", "old");
  auto directory = scratch.open();
  CommitGate gate;
  gate.cancel();
  auto replaced = replace_file(*directory, "a.json", "new", Durability::power, gate);
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error().code() == Errc::cancelled);
  auto removed = remove_file(*directory, "a.json", Durability::power, gate);
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code() == Errc::cancelled);
  CHECK(scratch.names() == std::vector<std::string>{"a.json"});
  CHECK(test::read(scratch / "a.json") == "old");
}

TEST_CASE("files are 0600 and directories 0700 whatever the umask") {
  for (const unsigned mask : {0000U, 0077U, 0777U}) {
    CAPTURE(mask);
    Scratch scratch;
    {
      const test::Umask umask(mask);
      auto directory = scratch.make("deep/er");
      replace(*directory, "new").value();
      auto lock = directory->try_lock("a.json.lock", LockPrimitive::automatic);
      REQUIRE(lock.has_value());
    }
    CHECK(test::mode_of(scratch / "deep") == 0700);
    CHECK(test::mode_of(scratch / "deep/er") == 0700);
    CHECK(test::mode_of(scratch / "deep/er/a.json") == 0600);
    CHECK(test::mode_of(scratch / "deep/er/a.json.lock") == 0600);
  }
}

TEST_CASE("what is planted under a name is neither followed nor waited for") {
  Scratch scratch;
  auto directory = scratch.open();
  test::write(scratch / "victim", "precious");
  std::filesystem::create_symlink("victim", scratch / "link");
  REQUIRE(::mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  std::filesystem::create_directory(scratch / "directory");
  for (const char* name : {"link", "fifo", "directory"}) {
    CAPTURE(name);
    CHECK_FALSE(directory->open_file(name, OpenMode::read).has_value());
    CHECK_FALSE(directory->open_file(name, OpenMode::read_write).has_value());
    CHECK_FALSE(directory->open_file(name, OpenMode::create_exclusive).has_value());
    for (const auto primitive :
         {LockPrimitive::open_file_description, LockPrimitive::interprocess, LockPrimitive::flock}) {
      auto lock = directory->try_lock(name, primitive);
      REQUIRE_FALSE(lock.has_value());
      CHECK(lock.error().value() != EWOULDBLOCK);
    }
  }
  CHECK_FALSE(directory->open_directory("link").has_value());
  CommitGate gate;
  replace_file(*directory, "link", "new", Durability::process, gate).value();
  CHECK(test::read(scratch / "victim") == "precious");
  CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(scratch / "link")));
}

TEST_CASE("only temporary files of that name are swept") {
  Scratch scratch;
  auto directory = scratch.open();
  const std::vector<std::string> kept{"a.json",         "a.json.lock",     "a.json.tmp.",    "a.json.tmp.12",
                                      "a.json.tmp.x.1", "ba.json.tmp.1.0", "a.json.tmp.1.zz"};
  for (const auto& name : kept)
    test::write(scratch / name, "x");
  test::write(scratch / "a.json.tmp.17.00000000000000ff", "x");
  test::write(scratch / "a.json.tmp.4194304.0", "x");
  sweep_temporaries(*directory, "a.json");
  auto expected = kept;
  std::sort(expected.begin(), expected.end());
  CHECK(scratch.names() == expected);
  CHECK(name_of_temporary("a.json.tmp.17.00ff") == "a.json");
  CHECK(name_of_temporary("a.tmp.1.2.json.tmp.17.00ff") == "a.tmp.1.2.json");
  CHECK_FALSE(name_of_temporary("a.json"));
}

TEST_CASE("reading answers not_found, too_large and the head alone") {
  Scratch scratch;
  auto directory = scratch.open();
  test::write(scratch / "a.json", "0123456789");
  CHECK(read_file(*directory, "a.json", 10).value() == "0123456789");
  CHECK(read_file(*directory, "a.json", 9).error().code() == Errc::too_large);
  CHECK(read_file(*directory, "b.json", 9).error().code() == Errc::not_found);
  CHECK(read_head(*directory, "a.json", 4).value() == "0123");
  CHECK(read_head(*directory, "a.json", 40).value() == "0123456789");
}

TEST_CASE("a write into a directory that was removed is unavailable, not not_found") {
  Scratch scratch;
  auto directory = scratch.make("gone");
  std::filesystem::remove(scratch / "gone");
  auto replaced = replace(*directory, "new");
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error().code() == Errc::unavailable);
}

TEST_CASE("28 a descriptor whose close failed is not closed again") {
  Scratch scratch;
  auto root = real_file_system()->open_directory(scratch.path()).value();
  // The next descriptor that is opened has the lowest free number.
  const int number = ::dup(STDERR_FILENO);
  REQUIRE(number >= 0);
  ::close(number);
  auto file = root->open_file("file", OpenMode::create_exclusive).value();
  REQUIRE(::fcntl(number, F_GETFD) != -1);
  ::close(number);
  const auto closed = file->close();
  REQUIRE_FALSE(closed);
  CHECK(closed.error().value() == EBADF);
  // Another's, with the same number, stays open when the file goes.
  REQUIRE(::dup(STDERR_FILENO) == number);
  CHECK(file->close());
  file.reset();
  CHECK(::fcntl(number, F_GETFD) != -1);
  ::close(number);
}

}  // namespace sessile::storage
