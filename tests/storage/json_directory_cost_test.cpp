// What operations on a log read and write, and that what a store remembers of it never stands for what is
// there.
#include "json_directory_fixture.hpp"
#include "own_child.hpp"

#include "backends/json_directory/session_log.hpp"

#include <sessile/memory.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <random>

namespace sessile::json_directory {
namespace {

using testing::conversation;
using testing::Fixture;

constexpr std::size_t kLarge = 10'000'000;

AppendOptions unsynced() {
  return AppendOptions().durability(Durability::process);
}

/// Runs `work` and returns what it read and wrote.
template <class Work>
std::pair<std::uint64_t, std::uint64_t> bytes_of(Fixture& f, Work work) {
  f.faults->bytes_read = 0;
  f.faults->bytes_written = 0;
  work();
  return {f.faults->bytes_read, f.faults->bytes_written};
}

std::string type_of_last(Fixture& f, const std::string& name) {
  const std::string bytes = f.content(name);
  const auto scan = storage::scan_log(bytes);
  const std::string members(scan->records.back().members);
  return members.substr(8, members.find('"', 8) - 8);
}

/// A line of /proc/self/status, in KiB.
std::uint64_t status(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size() + 1));
  }
  return 0;
}

/// A sanitizer keeps memory of its own beside the program's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace

// The child of the test below: run only by it, in a process of its own.
TEST_CASE("child: loads a large session" * doctest::skip()) {
  const char* root = std::getenv("SESSILE_TEST_ROOT");
  REQUIRE(root);
  auto store = make_json_directory_store(root).value();
  REQUIRE(blocking::load(*store, "small"));
  const std::uint64_t before = status("VmHWM:");
  const auto loaded = blocking::load(*store, "s");
  REQUIRE(loaded);
  const auto file = std::filesystem::file_size(std::filesystem::path(root) / "sessions" / "s.jsonl") / 1024;
  REQUIRE(file > 30000);
  CHECK(status("VmHWM:") - before < file * 5 / 2);
}

TEST_CASE("Loading a large session takes at most two and a half times its file's size in memory" *
          doctest::skip(kSanitized)) {
  Fixture f;
  REQUIRE(f.save(conversation("small", "a", 1)));
  REQUIRE(f.save(conversation("s", "a", 20000, 2000), SaveOptions().durability(Durability::process)));
  ::setenv("SESSILE_TEST_ROOT", f.root().c_str(), 1);
  CHECK(testing::run_own_child("child: loads a large*") == 0);
}

TEST_CASE("An append to a large session costs as little as one to a small one, the first after opening too") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 2, kLarge / 2)));
  for (const bool opened : {false, true, false}) {
    if (opened) f.reopen();
    CAPTURE(opened);
    const auto [read, written] = bytes_of(f, [&] { REQUIRE(f.append("s", "more")); });
    CHECK(read < (opened ? 200000 : 9000));
    CHECK(written < 100000);
  }
  f.reopen();
  const auto keyed =
      bytes_of(f, [&] { REQUIRE(f.append("s", "once", AppendOptions().idempotency_key("k"))); });
  CHECK(keyed.first < 200000);
  f.reopen();
  const auto replay = bytes_of(f, [&] {
    const auto again = f.append("s", "once", AppendOptions().idempotency_key("k"));
    REQUIRE(again);
    CHECK(again->replayed);
  });
  CHECK(replay.first < 200000);
  CHECK(replay.second == 0);
  CHECK(f.load("s").value()->messages.size() == 6);
}

TEST_CASE("A save, a removal and a refused write read the end of a log only") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 2, kLarge / 2)));
  REQUIRE(f.append("s", "more"));
  f.reopen();
  const auto refused = bytes_of(f, [&] {
    CHECK(f.save(conversation("s", "a", 1), SaveOptions().if_revision(1)).error().code() == Errc::conflict);
  });
  CHECK(refused.first < 200000);
  f.reopen();
  const auto saved = bytes_of(f, [&] { REQUIRE(f.save(conversation("s", "a", 1))); });
  CHECK(saved.first < 200000);
  f.reopen();
  const auto removed = bytes_of(f, [&] { REQUIRE(blocking::remove(*f.store, "s")); });
  CHECK(removed.first < 200000);
}

TEST_CASE("A save writes what changed since the store knew the session, by a save, a load or an update") {
  Fixture f;
  Session session = conversation("s", "a", 50, 2000);
  REQUIRE(f.save(session));
  session.add_message("user", "one more");
  auto cost = bytes_of(f, [&] { REQUIRE(f.save(session)); });
  CHECK(type_of_last(f, "s") == "patch");
  f.reopen();
  session = *f.load("s").value();
  session.set_title("a title").add_message("assistant", "and another");
  cost = bytes_of(f, [&] { REQUIRE(f.save(session)); });
  CHECK(cost.first < 9000);
  CHECK(cost.second < 100000);
  CHECK(type_of_last(f, "s") == "patch");
  REQUIRE(f.append("s", "appended"));
  session.add_message("assistant", json::value("appended")).add_message("user", "last");
  cost = bytes_of(f, [&] { REQUIRE(f.save(session)); });
  CHECK(cost.second < 2000);
  CHECK(type_of_last(f, "s") == "patch");
  CHECK(f.load("s").value()->messages.size() == session.messages.size());
  session.messages.front().content = "changed";
  REQUIRE(f.save(session));
  CHECK(type_of_last(f, "s") == "snapshot");
  const auto update = bytes_of(f, [&] {
    const auto add = [](Session& s) { s.add_message("user", json::value("updated")); };
    REQUIRE(blocking::update(*f.store, "s", Mutation(add)));
  });
  CHECK(update.first < 9000);
  CHECK(type_of_last(f, "s") == "patch");
  session.add_message("user", json::value("updated"));
  const auto loaded = f.load("s").value();
  session.created_at = loaded->created_at;
  CHECK(loaded->same_content(session));
}

TEST_CASE("A difference that operator== overlooks is saved") {
  Fixture f;
  Session session = conversation("s", "a", 1);
  session.messages[0].content = {{"zero", 0.0}, {"b", 1}};
  REQUIRE(f.save(session));
  session.messages[0].content.as_object()["zero"] = -0.0;
  REQUIRE(f.save(session));
  CHECK(std::signbit(f.load("s").value()->messages[0].content.at("zero").as_double()));
}

TEST_CASE("Over a long life at most three bytes are written for each new one") {
  Fixture f;
  const auto clock_free = unsynced();
  std::uint64_t fresh = 0;
  REQUIRE(f.save(conversation("appended", "a", 1)));
  f.faults->bytes_written = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text(1000 + static_cast<std::size_t>(i % 7) * 100, 'x');
    fresh += text.size() + 40;
    REQUIRE(f.append("appended", text, clock_free));
    if (i % 500 == 0) f.reopen();
  }
  CHECK(f.faults->bytes_written < 3 * fresh);
  fresh = 0;
  REQUIRE(f.save(conversation("saved", "a", 1)));
  f.faults->bytes_written = 0;
  for (int i = 0; i < 400; ++i) {
    Session session = conversation("saved", "a", 10, 1600);
    session.messages[0].content = std::to_string(i);
    fresh += encode_session(session).size();
    REQUIRE(f.save(session, SaveOptions().durability(Durability::process)));
    if (i % 100 == 0) f.reopen();
  }
  CHECK(f.faults->bytes_written < 3 * fresh);
  CHECK(std::filesystem::file_size(f.log("saved")) < 700000);
}

TEST_CASE("A store that remembers a log sees what another writer did to it") {
  Fixture f;
  const auto other =
      detail::make_json_directory_store_on(std::make_shared<storage::testing::FaultyFileSystem>(f.faults),
                                           f.root(), LockOptions(), OpenOptions())
          .value();
  const auto reference = make_memory_store(OpenOptions()).value();
  std::mt19937 random(5);
  Result<Written> last = f.save(conversation("s", "a", 3));
  REQUIRE(blocking::save(*reference, conversation("s", "a", 3)));
  for (int step = 0; step < 300; ++step) {
    CAPTURE(step);
    SessionStore& store = random() % 2 == 0 ? *f.store : *other;
    const auto kind = random() % 8;
    if (kind == 0) {
      REQUIRE(blocking::remove(store, "s"));
      REQUIRE(blocking::remove(*reference, "s"));
    }
    if (kind <= 2) {
      // Often the very session that was there, so that what follows the removal looks alike.
      const Session session = conversation("s", "a", kind == 2 ? static_cast<int>(random() % 5) : 3, 6000);
      last = blocking::save(store, session);
      REQUIRE(blocking::save(*reference, session));
    } else if (kind <= 6) {
      const std::vector<Message> messages = {Message("assistant", json::value(std::string(10 + kind, 'x')))};
      last = blocking::append(store, "s", messages, AppendOptions().if_revision(last->revision));
      REQUIRE(blocking::append(*reference, "s", messages));
    }
    REQUIRE(last);
    for (SessionStore* reader : {f.store.get(), other.get()}) {
      const auto ours = blocking::load(*reader, "s");
      REQUIRE(ours);
      CHECK((*ours)->revision == last->revision);
      CHECK((*ours)->messages == blocking::load(*reference, "s").value()->messages);
    }
  }
}

TEST_CASE("Damage that comes after a log was read is found by the next load, and at its end by a write") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 30, 1000)));
  REQUIRE(f.append("s", "last"));
  REQUIRE(f.load("s"));
  const std::string good = f.content("s");
  std::string bytes = good;
  bytes[good.find("message 7")] = 'M';
  f.put("s", bytes);
  CHECK(f.load("s").error().code() == Errc::corrupt);
  bytes = good;
  bytes[good.find("last")] = 'L';
  f.put("s", bytes);
  CHECK(f.load("s").error().code() == Errc::corrupt);
  CHECK(f.append("s", "x").error().code() == Errc::corrupt);
  CHECK(f.save(conversation("s", "a", 1)).error().code() == Errc::corrupt);
  CHECK(blocking::remove(*f.store, "s").error().code() == Errc::corrupt);
  CHECK(f.content("s") == bytes);
  f.put("s", good);
  CHECK(f.load("s").value()->messages.size() == 31);
}

TEST_CASE("A log of the version before, whose records name no snapshot, is read and written") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 3)));
  REQUIRE(f.append("s", "once", AppendOptions().idempotency_key("k")));
  const std::string bytes = f.content("s");
  std::string old;
  const auto scan = storage::scan_log(bytes);
  for (const auto& record : scan->records) {
    std::string members(record.members);
    for (const std::string name : {",\"from\":0", ",\"keyed\":0", ",\"synced\":true"}) {
      if (const auto at = members.find(name); at != std::string::npos) members.erase(at, name.size());
    }
    const auto head = members.find(",\"head\":\"");
    members.replace(head + 9, 8, storage::checksum_text(std::string_view(members).substr(0, head)));
    old += storage::frame_record(record.seq, members);
  }
  REQUIRE(old.find("keyed") == std::string::npos);
  f.put("s", old);
  f.reopen();
  CHECK(f.append("s", "once", AppendOptions().idempotency_key("k"))->replayed);
  REQUIRE(f.append("s", "more"));
  CHECK(f.load("s").value()->messages.size() == 5);
  REQUIRE(f.save(Session(*f.load("s").value()).set_title("t")));
  f.reopen();
  CHECK(f.load("s").value()->messages.size() == 5);
  CHECK(f.append("s", "once", AppendOptions().idempotency_key("k"))->replayed);
}

TEST_CASE("The remembered appends are found again after any mixture of writes and reopenings") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 1)));
  std::mt19937 random(11);
  for (int i = 0; i < 150; ++i) {
    CAPTURE(i);
    REQUIRE(
        f.append("s", "m" + std::to_string(i),
                 AppendOptions().durability(Durability::process).idempotency_key("k" + std::to_string(i))));
    if (random() % 3 == 0) REQUIRE(f.append("s", "unkeyed", unsynced()));
    if (random() % 9 == 0) REQUIRE(f.save(Session(*f.load("s").value()).set_title(std::to_string(i))));
    if (random() % 25 == 0) REQUIRE(f.save(conversation("s", "a", 1)));
    if (random() % 4 == 0) f.reopen();
    const int back = static_cast<int>(random() % 60);
    if (back > i) continue;
    const auto again = f.append("s", "m" + std::to_string(i - back),
                                AppendOptions().idempotency_key("k" + std::to_string(i - back)));
    REQUIRE(again);
    CHECK(again->replayed);
  }
}

}  // namespace sessile::json_directory
