// Which descriptors a program that is started from here would inherit.
#include "verify/places.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>

#include <charconv>
#include <future>

namespace sessile::testing {

namespace {

/// What is open and is not closed by exec, by what it stands for.
std::set<std::string> inherited() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const std::string name = entry.path().filename().string();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    const int flags = ::fcntl(number, F_GETFD);
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0 && !gone) found.insert(name + " " + target.string());
  }
  return found;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

TEST_CASE("a program that is started inherits no descriptor of stores, logs, documents, or waits for locks") {
  const auto before = inherited();
  const std::size_t open_before = open_descriptors();
  const TemporaryDirectory directory;
  std::vector<std::unique_ptr<Place>> places;
  for (const char* scheme : {"file", "jsondir"}) {
    places.push_back(std::make_unique<Place>(scheme));
    places.back()->save("s", 2);
    places.back()->append("s", "more");
  }
  const auto documents = open_documents(directory.path() / "state").value();
  blocking::wait(documents.save_json("c", "d", json::value(1))).value();
  SessionLog log(directory.path() / "s.jsonl");
  blocking::wait(log.append(Message("user", json::value("x")))).value();
  const auto memory = blocking::wait(MemoryLog::open(directory.path() / "m.jsonl")).value();
  CHECK(inherited() == before);

  // Who waits has a place in line, a bell, the sidecar and what watches it.
  for (const auto& place : places) {
    const auto store = open_store(place->url() + "?lock_timeout=60s").value();
    auto lock = place->lock("s");
    auto waiting = std::async(std::launch::async, [&store] {
      return blocking::append(*store, SessionId("s"), {Message("user", json::value("x"))});
    });
    std::size_t most = 0;
    for (int look = 0; look < 200; ++look) {
      CHECK(inherited() == before);
      most = std::max(most, open_descriptors());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(most > open_before + 4);
    lock.reset();
    CHECK(waiting.get());
  }
  for (const auto& place : places)
    check_sound(*place->store);
}

}  // namespace sessile::testing
