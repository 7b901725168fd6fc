// Links, FIFOs, devices, directories and hard links where a store's files belong.
#include "support/long_run.hpp"
#include "verify/places.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <functional>

namespace sessile::testing {

namespace {

enum class Planted { link, dangling_link, fifo, device, directory };
constexpr Planted kAll[] = {Planted::link, Planted::dangling_link, Planted::fifo, Planted::device,
                            Planted::directory};

/// What an attacker wants read, or overwritten: a whole session under the id that is asked for.
class Treasure {
 public:
  Treasure(const Place& place, const std::string& id) : file_(place.directory.path() / "treasure") {
    Place other(place.scheme);
    Session stolen = Place::session(id, 1);
    stolen.add_message("user", json::value("treasure"));
    other.save(stolen);
    std::filesystem::copy_file(other.file(id), file_);
    bytes_ = Place::read(file_);
  }
  const std::filesystem::path& file() const noexcept { return file_; }
  void check_untouched() const {
    CHECK(Place::read(file_) == bytes_);
    CHECK_FALSE(std::filesystem::exists(file_.string() + ".new"));
  }

 private:
  const std::filesystem::path file_;
  std::string bytes_;
};

/// False: this machine does not let us.
bool plant(Planted what, const std::filesystem::path& at, const Treasure& treasure) {
  std::filesystem::remove_all(at);
  switch (what) {
    case Planted::link:
      return ::symlink(treasure.file().c_str(), at.c_str()) == 0;
    case Planted::dangling_link:
      return ::symlink((treasure.file().string() + ".new").c_str(), at.c_str()) == 0;
    case Planted::fifo:
      return ::mkfifo(at.c_str(), 0600) == 0;
    case Planted::device:
      return ::mknod(at.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
    case Planted::directory:
      return ::mkdir(at.c_str(), 0700) == 0;
  }
  return false;
}

/// What is at `path`, without following it.
std::pair<mode_t, ino_t> status_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {0, 0};
  return {status.st_mode & S_IFMT, status.st_ino};
}

/// Refused in a way that does not pass for the session's absence, or for success.
template <class T>
void check_refused(const Result<T>& result) {
  CHECK_FALSE(result);
  const Errc code = result.error().code();
  CHECK_MESSAGE((code == Errc::io || code == Errc::unavailable || code == Errc::corrupt), name(code));
}

void for_each_planted(const std::function<std::filesystem::path(const Place&)>& where,
                      const std::function<void(Place&)>& check) {
  for (const std::string scheme : {"file", "jsondir"}) {
    for (const Planted what : kAll) {
      CAPTURE(scheme);
      CAPTURE(static_cast<int>(what));
      Place place(scheme);
      place.save("s", 2);
      place.save("other", 2);
      const Treasure treasure(place, "s");
      const auto at = where(place);
      if (!plant(what, at, treasure)) {
        CHECK(what == Planted::device);
        MESSAGE("skipped: this machine makes no devices for us");
        continue;
      }
      const auto planted = status_of(at);
      check(place);
      CHECK(status_of(at) == planted);
      treasure.check_untouched();
      // Nobody else is affected.
      CHECK(blocking::load(*place.store, SessionId("other")));
      place.append("other", "goes on");
      std::filesystem::remove_all(at);
      check_sound(*place.store, {FindingKind::stale_entry});
    }
  }
}

}  // namespace

TEST_CASE("P8 what is planted at a session's file is neither followed, opened for long, read nor replaced") {
  for_each_planted([](const Place& place) { return place.file("s"); },
                   [](Place& place) {
                     check_refused(blocking::load(*place.store, SessionId("s")));
                     check_refused(blocking::append(*place.store, SessionId("s"), {Message("user", "x")}));
                     check_refused(blocking::save(*place.store, Place::session("s", 1)));
                     check_refused(blocking::remove(*place.store, SessionId("s")));
                     CHECK(blocking::list(*place.store).value().items.size() == 1);
                     CHECK(Place::count(place.repair(), FindingKind::wrong_type) == 1);
                   });
}

TEST_CASE("what is planted at a session's lock keeps its writers out, at once, and no reader") {
  const auto lock_of = [](const Place& place) {
    return place.scheme == "file" ? place.root() / "s.json.lock" : place.root() / "locks" / "s.lock";
  };
  for_each_planted(lock_of, [](Place& place) {
    check_refused(blocking::append(*place.store, SessionId("s"), {Message("user", "x")}));
    check_refused(blocking::save(*place.store, Place::session("s", 1)));
    check_refused(blocking::remove(*place.store, SessionId("s")));
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 2);
    place.repair();
  });
}

TEST_CASE("what is planted under the name of a temporary file is not swept, nor written to") {
  for_each_planted([](const Place& place) { return place.file("s").string() + ".tmp.1.0123456789abcdef"; },
                   [](Place& place) {
                     auto fresh = open_store(place.url()).value();
                     REQUIRE(blocking::save(*fresh, Place::session("s", 5)));
                     CHECK(Place::count(place.repair(), FindingKind::wrong_type) == 1);
                     CHECK((*blocking::load(*fresh, SessionId("s")))->messages.size() == 5);
                   });
}

TEST_CASE("what is planted in the index of json_directory leads no write out of the store") {
  for (const Planted what : kAll) {
    CAPTURE(static_cast<int>(what));
    Place place("jsondir");
    place.save("s", 1, "a");
    const Treasure treasure(place, "s");
    // The directory of an agent.
    const auto outside = place.directory.path() / "outside";
    std::filesystem::create_directory(outside);
    const auto agent = place.root() / "agents" / "b";
    if (what == Planted::link) {
      std::filesystem::create_directory_symlink(outside, agent);
    } else if (!plant(what, agent, treasure)) {
      continue;
    }
    const auto saved = blocking::save(*place.store, Place::session("t", 1, "b"));
    if (what == Planted::directory) {
      CHECK(saved);
    } else {
      check_refused(saved);
      CHECK(blocking::load(*place.store, SessionId("t")).error().code() == Errc::not_found);
    }
    CHECK(std::filesystem::is_empty(outside));
    // An entry.
    if (!plant(what, place.root() / "agents" / "a" / "u", treasure)) continue;
    const auto under_entry = blocking::save(*place.store, Place::session("u", 1, "a"));
    CHECK(under_entry);
    CHECK(blocking::list(*place.store, ListQuery().agent("a")).value().items.size() == 2);
    treasure.check_untouched();
    CHECK(place.repair().checked >= 2);
    treasure.check_untouched();
  }
}

TEST_CASE("a link, FIFO or file in the place of a directory of json_directory is refused") {
  for (const std::string part : {"sessions", "locks", "agents", "sessile.json"}) {
    for (const Planted what : kAll) {
      CAPTURE(part);
      CAPTURE(static_cast<int>(what));
      if (what == Planted::directory && part != "sessile.json") continue;
      Place place("jsondir");
      place.save("s", 1);
      const auto aside = place.directory.path() / "aside";
      std::filesystem::rename(place.root() / part, aside);
      const Treasure treasure(place, "s");
      if (what == Planted::link) {
        std::filesystem::create_symlink(aside, place.root() / part);
      } else if (!plant(what, place.root() / part, treasure)) {
        continue;
      }
      auto fresh = open_store(place.url()).value();
      check_refused(blocking::save(*fresh, Place::session("new", 1)));
      const auto report = blocking::verify(*fresh, VerifyOptions().repair());
      if (report) CHECK_FALSE(report->sound());
      if (!report) check_refused(report);
      treasure.check_untouched();
    }
  }
}

TEST_CASE("the place itself may be reached through a link, and a file in its place is unavailable") {
  for_each_directory([](Place& place) {
    place.save("s", 1);
    const auto link = place.directory.path() / "link";
    std::filesystem::create_directory_symlink(place.root(), link);
    auto through = open_store(place.scheme + ":" + link.string()).value();
    CHECK(blocking::append(*through, SessionId("s"), {Message("user", "x")}));
    check_sound(*through);
    const auto file = place.directory.path() / "file";
    Place::write(file, "");
    auto on_file = open_store(place.scheme + ":" + file.string()).value();
    CHECK(blocking::save(*on_file, Session("s")).error().code() == Errc::unavailable);
    CHECK(blocking::load(*on_file, SessionId("s")).error().code() == Errc::unavailable);
  });
}

TEST_CASE("a write to a session whose file has a second name leaves what that name shows as it was") {
  for_each_directory([](Place& place) {
    place.save("s", 2);
    // As a backup by hard links makes it.
    const auto backup = place.directory.path() / "backup";
    std::filesystem::create_hard_link(place.file("s"), backup);
    const std::string before = Place::read(backup);
    place.append("s", "more");
    CHECK(Place::read(backup) == before);
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 3);
    std::filesystem::remove(backup);
    check_sound(*place.store);
    // Two names in the store itself: the id inside decides.
    std::filesystem::create_hard_link(place.file("s"), place.file("twin"));
    check_refused(blocking::append(*place.store, SessionId("twin"), {Message("user", "x")}));
    CHECK(Place::count(place.repair(), FindingKind::corrupt) == 1);
    check_sound(*place.store);
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 3);
  });
}

TEST_CASE("documents, session logs and memories follow nothing either") {
  for (const Planted what : kAll) {
    CAPTURE(static_cast<int>(what));
    Place place("file");
    const Treasure treasure(place, "s");
    const auto base = place.directory.path() / "state";
    const auto documents = open_documents(base).value();
    blocking::wait(documents.save_json("c", "kept", {{"a", 1}})).value();
    if (!plant(what, base / "c" / "d.json", treasure)) continue;
    check_refused(blocking::wait(documents.load_json("c", "d")));
    check_refused(blocking::wait(documents.update_json("c", "d", DocumentEdit::set("a", 1))));
    CHECK(blocking::wait(documents.verify(VerifyOptions().repair())));

    const auto log_file = place.directory.path() / "logs" / "log.jsonl";
    const auto memory_file = place.directory.path() / "logs" / "memory.jsonl";
    std::filesystem::create_directory(log_file.parent_path());
    plant(what, log_file, treasure);
    plant(what, memory_file, treasure);
    SessionLog log(log_file);
    check_refused(blocking::wait(log.append(Message("user", "x"))));
    check_refused(blocking::wait(log.load()));
    CHECK(Place::count(blocking::wait(log.verify(VerifyOptions().repair())).value(),
                       FindingKind::wrong_type) == 1);
    check_refused(blocking::wait(MemoryLog::open(memory_file)));
    CHECK(blocking::wait(MemoryLog::verify(memory_file, VerifyOptions().repair())));
    treasure.check_untouched();
  }
}

}  // namespace sessile::testing
