// What is planted where the files of a store belong, and how to see that nothing came of it.
#pragma once

#include "verify/places.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace sessile::testing {

enum class Planted { link, dangling_link, directory_link, fifo, device, directory, hard_link };
inline constexpr Planted kAll[] = {Planted::link,     Planted::dangling_link, Planted::directory_link,
                                   Planted::fifo,     Planted::device,        Planted::directory,
                                   Planted::hard_link};

inline std::string name(Planted what) {
  constexpr const char* kNames[] = {"link",      "dangling link", "link to a directory", "FIFO", "device",
                                    "directory", "hard link"};
  return kNames[static_cast<std::size_t>(what)];
}

/// Ends the program where a test is held up, as by the opening of a FIFO, which nothing else would end.
class Deadline {
 public:
  Deadline() {
    std::signal(SIGALRM, [](int) { std::abort(); });
    ::alarm(kSeconds);
  }
  ~Deadline() { ::alarm(0); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  static constexpr unsigned kSeconds = 60;
};

/// The bytes of the file of a whole session that says "treasure".
inline std::string stolen_session(const std::string& scheme, const std::string& id) {
  const Place other(scheme);
  Session stolen = Place::session(id, 1);
  stolen.add_message("user", json::value("treasure"));
  blocking::save(*other.store, stolen).value();
  return Place::read(other.file(id));
}

/// What an attacker wants read, or overwritten: a file that is what is looked for, and a directory.
class Treasure {
 public:
  Treasure(const std::filesystem::path& beside, std::string bytes)
      : file_(beside / "treasure"), directory_(beside / "treasures"), bytes_(std::move(bytes)) {
    Place::write(file_, bytes_);
    // Unlike what a store gives to its own.
    REQUIRE(::chmod(file_.c_str(), kMode) == 0);
    std::filesystem::create_directory(directory_);
    Place::write(directory_ / "kept", bytes_);
  }
  /// A whole session under the id that is asked for.
  Treasure(const Place& place, const std::string& id)
      : Treasure(place.directory.path(), stolen_session(place.scheme, id)) {}

  const std::filesystem::path& file() const noexcept { return file_; }
  const std::filesystem::path& directory() const noexcept { return directory_; }
  const std::string& bytes() const noexcept { return bytes_; }
  void check_untouched() const {
    CHECK(Place::read(file_) == bytes_);
    CHECK(Place::mode(file_) == kMode);
    CHECK_FALSE(std::filesystem::exists(file_.string() + ".new"));
    CHECK(std::distance(std::filesystem::directory_iterator(directory_), {}) == 1);
    CHECK(Place::read(directory_ / "kept") == bytes_);
  }

 private:
  static constexpr unsigned kMode = 0640;
  const std::filesystem::path file_;
  const std::filesystem::path directory_;
  const std::string bytes_;
};

/// False: this machine does not let us.
inline bool plant(Planted what, const std::filesystem::path& at, const Treasure& treasure) {
  std::filesystem::remove_all(at);
  switch (what) {
    case Planted::link:
      return ::symlink(treasure.file().c_str(), at.c_str()) == 0;
    case Planted::dangling_link:
      return ::symlink((treasure.file().string() + ".new").c_str(), at.c_str()) == 0;
    case Planted::directory_link:
      return ::symlink(treasure.directory().c_str(), at.c_str()) == 0;
    case Planted::fifo:
      return ::mkfifo(at.c_str(), 0600) == 0;
    case Planted::device:
      return ::mknod(at.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
    case Planted::directory:
      return ::mkdir(at.c_str(), 0700) == 0;
    case Planted::hard_link:
      return ::link(treasure.file().c_str(), at.c_str()) == 0;
  }
  return false;
}

/// What is at `path`, without following it.
inline std::pair<mode_t, ino_t> status_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {0, 0};
  return {status.st_mode & S_IFMT, status.st_ino};
}

/// One thing planted at one path, for as long as a test looks at what comes of it.
class Plot {
 public:
  Plot(Planted what_, std::filesystem::path at_, const Treasure& treasure_)
      : what(what_), at(std::move(at_)), treasure(treasure_) {
    is_there_ = plant(what, at, treasure);
    if (!is_there_) MESSAGE("skipped: this machine makes no ", name(what), " for us");
    CHECK((is_there_ || what == Planted::device));
    planted_ = status_of(at);
  }
  Plot(const Plot&) = delete;
  Plot& operator=(const Plot&) = delete;
  ~Plot() {
    treasure.check_untouched();
    std::error_code ignored;
    std::filesystem::remove_all(at, ignored);
  }
  /// False: this machine does not let us.
  explicit operator bool() const noexcept { return is_there_; }
  bool is_file() const noexcept { return what == Planted::hard_link; }
  /// Where an operation put a file of its own.
  void plant_again() { REQUIRE(plant(what, at, treasure)); }
  void check_stays() const { CHECK(status_of(at) == planted_); }

  const Planted what;
  const std::filesystem::path at;
  const Treasure& treasure;

 private:
  const Deadline deadline_;
  bool is_there_ = false;
  std::pair<mode_t, ino_t> planted_;
};

/// Calls `check` with each thing planted at `file` in the directory of a new `Home`, then
/// Home::check_afterwards when it is taken away.
template <class Home, class Check>
void for_each_planted_in(const std::string& file, const Check& check) {
  for (const Planted what : kAll) {
    CAPTURE(file);
    CAPTURE(name(what));
    Home home;
    {
      Plot plot(what, home.directory() / file, home.treasure());
      if (!plot) continue;
      check(home, plot);
    }
    home.check_afterwards();
  }
}

/// Refused in a way that does not pass for the session's absence, or for success.
template <class T>
void check_refused(const Result<T>& result) {
  REQUIRE_FALSE(result);
  const Errc code = result.error().code();
  CHECK_MESSAGE((code == Errc::io || code == Errc::unavailable || code == Errc::corrupt), name(code));
}

}  // namespace sessile::testing
