// A link that is swapped in while the store works, and masks.
#include "support/long_run.hpp"
#include "verify/places.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace sessile::testing {

namespace {

/// Swaps a name between a file (or directory) and a link, as fast as it can.
class Swapper {
 public:
  Swapper(std::filesystem::path name, std::filesystem::path target)
      : name_(std::move(name)), target_(std::move(target)), thread_([this] { swap(); }) {}
  ~Swapper() {
    stop_ = true;
    thread_.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;
  std::uint64_t swaps() const noexcept { return swaps_; }

 private:
  void swap() {
    const std::string link = name_.string() + ".link";
    const std::string aside = name_.string() + ".aside";
    std::error_code ignored;
    while (!stop_) {
      if (::rename(name_.c_str(), aside.c_str()) != 0) continue;
      // Left over when the store made a directory in the moment without one.
      ::unlink(link.c_str());
      if (::symlink(target_.c_str(), link.c_str()) != 0) break;
      ::rename(link.c_str(), name_.c_str());
      ++swaps_;
      // The link, or what the store put in its place: what was there before comes back.
      while (::rename(aside.c_str(), name_.c_str()) != 0)
        std::filesystem::remove_all(name_, ignored);
    }
  }

  const std::filesystem::path name_;
  const std::filesystem::path target_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> swaps_{0};
  std::thread thread_;
};

/// What may be left where files went away under a writer: a temporary file that it could not remove, and
/// entries whose session went, or came back, with its file.
FindingKinds remains_of_a_race() {
  return {FindingKind::leftover, FindingKind::stale_entry, FindingKind::missing_entry};
}

bool is_treasure(const Session& session) {
  for (const Message& message : session.messages) {
    if (message.content == json::value("treasure")) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a link swapped in for a session's file while we work is never followed") {
  const std::uint64_t goal = rounds(1000);
  for (const std::string scheme : {"file", "jsondir"}) {
    CAPTURE(scheme);
    Place place(scheme);
    Place outside(scheme);
    Session stolen = Place::session("s", 1);
    stolen.add_message("user", json::value("treasure"));
    outside.save(stolen);
    place.save("s", 1);
    const std::string bytes = Place::read(outside.file("s"));
    std::uint64_t done = 0;
    std::uint64_t read = 0;
    std::uint64_t wrote = 0;
    {
      const Swapper swapper(place.file("s"), outside.file("s"));
      auto store = open_store(place.url() + "?durability=process&lock_timeout=100ms").value();
      for (; done < goal || (swapper.swaps() < goal && done < 50 * goal); ++done) {
        const auto loaded = blocking::load(*store, SessionId("s"));
        if (loaded) CHECK_FALSE(is_treasure(**loaded));
        read += loaded ? 1 : 0;
        const auto appended = blocking::append(*store, SessionId("s"), {Message("user", json::value(done))});
        wrote += appended ? 1 : 0;
        if (!appended && appended.error().code() == Errc::not_found)
          blocking::save(*store, Place::session("s", 1)).ignore();
        if (done % 64 == 0) {
          const auto saved = blocking::save(*store, Place::session("s", 1));
          saved.ignore();
          blocking::verify(*store).ignore();
        }
        if (done % 256 == 0) REQUIRE(Place::read(outside.file("s")) == bytes);
      }
      MESSAGE(scheme, ": ", done, " rounds, ", swapper.swaps(), " swaps, ", read, " loads and ", wrote,
              " appends went through");
    }
    CHECK(read > 0);
    CHECK(wrote > 0);
    check_sound(*place.store, remains_of_a_race());
    CHECK(Place::read(outside.file("s")) == bytes);
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(outside.file("s").parent_path()))
      names.insert(entry.path().filename().string());
    for (const std::string& name : names)
      CHECK_FALSE(name.find(".tmp.") != std::string::npos);
  }
}

TEST_CASE("a link swapped in for a directory of json_directory while stores open is never followed") {
  const std::uint64_t goal = rounds(1000) / 4;
  Place place("jsondir");
  Place outside("jsondir");
  place.save("s", 1);
  Session stolen = Place::session("s", 1);
  stolen.add_message("user", json::value("treasure"));
  outside.save(stolen);
  const std::string bytes = Place::read(outside.file("s"));
  const auto before = outside.names();
  std::uint64_t done = 0;
  std::uint64_t read = 0;
  {
    const Swapper swapper(place.root() / "sessions", outside.root() / "sessions");
    for (; done < goal || (swapper.swaps() < goal && done < 50 * goal); ++done) {
      auto store = open_store(place.url() + "?durability=process&lock_timeout=100ms").value();
      const auto loaded = blocking::load(*store, SessionId("s"));
      if (loaded) CHECK_FALSE(is_treasure(**loaded));
      read += loaded ? 1 : 0;
      blocking::append(*store, SessionId("s"), {Message("user", json::value(done))}).ignore();
      blocking::save(*store, Place::session("t", 1)).ignore();
    }
    MESSAGE(done, " rounds, ", swapper.swaps(), " swaps, ", read, " loads went through");
  }
  CHECK(read > 0);
  check_sound(*place.store, remains_of_a_race());
  CHECK(Place::read(outside.file("s")) == bytes);
  CHECK(outside.names() == before);
}

TEST_CASE("files are 0600 and directories 0700, whatever the umask") {
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}, mode_t{0277}}) {
    CAPTURE(mask);
    const TemporaryDirectory directory;
    const mode_t before = ::umask(mask);
    const auto top = directory.path() / "top";
    for (const std::string scheme : {"file", "jsondir"}) {
      const std::string url = scheme + ":" + (top / scheme).string();
      auto store = open_store(url).value();
      REQUIRE(blocking::save(*store, Place::session("s", 3)));
      REQUIRE(blocking::append(*store, SessionId("s"), {Message("user", "x")}));
      REQUIRE(blocking::save(*store, Place::session("bad", 3, "b")));
      const auto file =
          scheme == "file" ? top / scheme / "bad.json" : top / scheme / "sessions" / "bad.jsonl";
      Place::write(file, "garbage");
      REQUIRE(blocking::verify(*store, VerifyOptions().repair()));
      check_sound(*store);
    }
    const auto documents = open_documents(top / "state").value();
    REQUIRE(blocking::wait(documents.save_json("a/b", "d", {{"x", 1}})));
    SessionLog log(top / "logs" / "s.jsonl");
    REQUIRE(blocking::wait(log.append(Message("user", "x"))));
    {
      auto memory = blocking::wait(MemoryLog::open(top / "logs" / "m.jsonl")).value();
      REQUIRE(blocking::wait(memory.add(MemoryKind::fact, "x")));
    }
    ::umask(before);
    CHECK(Place::mode(top) == 0700);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
      CHECK_MESSAGE(Place::mode(entry.path()) == (entry.is_directory() ? 0700 : 0600), entry.path().string());
    }
  }
}

}  // namespace sessile::testing
