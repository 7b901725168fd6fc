// Large logs are compacted beside their writers.
#include "compaction_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <vector>

namespace sessile::json_directory {
namespace {

using testing::CompactionFixture;
using testing::Gate;
using testing::is_beside;
using testing::kNoteBytes;
using testing::os_error;
namespace errc = boost::system::errc;

using Error = boost::system::error_code;

}  // namespace

TEST_CASE(
    "A write that finds the log of a large session due writes its record, and close waits for the rest") {
  CompactionFixture f;
  f.make_nearly_due();
  Gate gate;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (call == "create" && is_beside(name)) gate.stop();
    return Error();
  };
  const std::size_t records = f.records();
  f.faults->bytes_written = 0;
  const auto written = f.note(Durability::power);
  REQUIRE(written);
  CHECK(f.faults->bytes_written < kNoteBytes + 70'000);  // with padding
  gate.wait_until_somebody_came();
  CHECK(f.records() == records + 1);
  CHECK(f.faults->bytes_written < kNoteBytes + 70'000);
  auto closed = std::async(std::launch::async, [&f] { return blocking::close(*f.store); });
  CHECK(closed.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
  gate.let_go();
  CHECK(closed.get());
  CHECK(f.records() == 1);
  CHECK(f.files_beside() == 0);
  f.faults->before = nullptr;
  f.reopen();
  const auto loaded = f.load("s").value();
  CHECK(loaded->revision == (*written)->revision);
  CHECK(loaded->same_content(**written));
  REQUIRE(f.append("s", "more"));
  CHECK(f.load("s").value()->messages.size() == loaded->messages.size() + 1);
}

TEST_CASE("The log of a session that is not large is compacted by the write that finds it due") {
  CompactionFixture f;
  f.compaction.small_session_bytes = 100'000;
  f.reopen();
  f.make_nearly_due();
  REQUIRE(f.note());
  CHECK(f.records() == 1);
}

TEST_CASE("While a snapshot is written beside a log its lock is free, and taken for the rename") {
  CompactionFixture f;
  f.make_nearly_due();
  const auto locks = storage::real_file_system()->open_directory(f.root() / "locks").value();
  std::mutex mutex;
  std::map<std::string, bool> was_free;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (is_beside(name) || call == "rename") {
      const bool is_free = locks->try_lock("s.lock", LockPrimitive::open_file_description).has_value();
      const std::scoped_lock lock(mutex);
      was_free[call] = is_free;
    }
    return Error();
  };
  // The note's own lock is let go before it is acknowledged.
  REQUIRE(f.note());
  f.close();
  CHECK(was_free ==
        std::map<std::string, bool>{{"create", true}, {"write", true}, {"sync", true}, {"rename", false}});
}

TEST_CASE("A write between the halves of a compaction is in the next try's snapshot") {
  for (const bool by_another : {false, true}) {
    CAPTURE(by_another);
    CompactionFixture f;
    f.make_nearly_due();
    const auto other = f.other_store();
    Gate gate;
    std::atomic<int> tries = 0;
    f.faults->before = [&](const std::string& call, const std::string& name) {
      if (call == "sync" && is_beside(name) && ++tries == 1) gate.stop();
      return Error();
    };
    REQUIRE(f.note());
    gate.wait_until_somebody_came();
    SessionStore& writer = by_another ? *other : *f.store;
    const auto between = blocking::append(writer, "s", {Message("user", json::value("between"))});
    REQUIRE(between);
    gate.let_go();
    f.close();
    CHECK(tries == 2);
    CHECK(f.records() == 1);
    CHECK(f.files_beside() == 0);
    f.reopen();
    const auto loaded = f.load("s").value();
    CHECK(loaded->revision == between->revision);
    CHECK(loaded->messages.back().content == json::value("between"));
  }
}

TEST_CASE("A compaction that was overtaken twice is left to a write, when there is twice as much as is due") {
  CompactionFixture f;
  f.make_nearly_due();
  const std::uint64_t bound = f.bound();
  Gate gates[2];
  std::atomic<int> tries = 0;
  std::atomic<int> made = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    made += call == "create" && is_beside(name);
    if (call == "sync" && is_beside(name) && tries < 2) gates[tries++].stop();
    return Error();
  };
  REQUIRE(f.note());
  for (Gate& gate : gates) {
    gate.wait_until_somebody_came();
    // Others that find it due meanwhile leave it to the one that is under way.
    REQUIRE(f.append("s", "between"));
    gate.let_go();
  }
  CHECK(f.wait_until([&] { return f.files_beside() == 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  std::uint64_t longest = 0;
  while (f.records() > 1) {
    CHECK(made == 2);
    longest = std::max(longest, f.end_of_log());
    REQUIRE(longest < 3 * bound);
    REQUIRE(f.note());
  }
  CHECK(made == 3);
  CHECK(longest > 2 * bound - kNoteBytes - 2'000);
  CHECK(longest <= 2 * bound);
  CHECK(f.load("s").value()->messages.size() == f.messages_at_first + 2);
  f.close();
}

TEST_CASE("Of one log at most one compaction is under way, and no log waits for it for ever") {
  CompactionFixture f;
  f.make_nearly_due();
  const std::uint64_t bound = f.bound();
  Gate gate;
  std::atomic<int> made = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (call == "create" && is_beside(name) && ++made == 1) gate.stop();
    return Error();
  };
  REQUIRE(f.note());
  gate.wait_until_somebody_came();
  while (f.records() > 1) {
    CHECK(made == 1);
    REQUIRE(f.end_of_log() < 3 * bound);
    REQUIRE(f.note());
  }
  CHECK(made == 2);
  const auto latest = f.load("s").value();
  gate.let_go();
  f.close();
  // What was under way saw that, and did not write again.
  CHECK(made == 2);
  f.reopen();
  CHECK(f.load("s").value()->same_content(*latest));
  CHECK(f.load("s").value()->revision == latest->revision);
}

TEST_CASE("A log that has another name is compacted by the write, and its other name keeps what it had") {
  CompactionFixture f;
  f.make_nearly_due();
  const auto backup = f.place.path() / "backup";
  std::filesystem::create_hard_link(f.log("s"), backup);
  const std::string before = f.content("s");
  REQUIRE(f.note());
  CHECK(f.records() == 1);
  std::ifstream in(backup, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == before);
}

TEST_CASE("A log whose sync failed while it was compacted beside is left to the next write") {
  CompactionFixture f;
  f.make_nearly_due();
  Gate gate;
  std::atomic<bool> first = true;
  std::atomic<int> renamed = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (call == "rename") ++renamed;
    if (call == "sync" && name == "s.jsonl") return os_error(errc::io_error);
    if (call == "sync" && is_beside(name) && first.exchange(false)) gate.stop();
    return Error();
  };
  REQUIRE(f.note());
  gate.wait_until_somebody_came();
  // As after a power write by anybody: what the page cache holds may not be what is on the disk.
  CHECK(f.append("s", "unknown").error().code() == Errc::indeterminate);
  gate.let_go();
  f.close();
  CHECK(renamed == 0);
  CHECK(f.files_beside() == 0);
  f.faults->before = nullptr;
  f.reopen();
  REQUIRE(f.append("s", "next"));
  CHECK(f.records() == 1);
  CHECK(f.load("s").value()->messages.back().content == json::value("next"));
}

TEST_CASE("A compaction beside the writers that fails leaves the log as it was, and is not tried again") {
  for (const std::string failing : {"create", "write", "sync", "rename"}) {
    CAPTURE(failing);
    CompactionFixture f;
    f.make_nearly_due();
    std::atomic<int> failures = 0;
    f.faults->before = [&](const std::string& call, const std::string& name) {
      const bool fails = call == failing && (is_beside(name) || call == "rename");
      return fails ? (++failures, os_error(errc::no_space_on_device)) : Error();
    };
    REQUIRE(f.note());
    f.close();
    CHECK(failures == 1);
    CHECK(f.files_beside() == 0);
    CHECK(f.records() > 3);
    // Another store, since this one is closed. It has not seen the failure.
    f.reopen();
    REQUIRE(f.load("s"));
    REQUIRE(f.note());
    REQUIRE(f.wait_until([&] { return failures >= 2; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    for (int i = 0; i < 3; ++i)
      REQUIRE(f.append("s", "goes on"));
    f.close();
    CHECK(failures == 2);
    f.faults->before = nullptr;
    f.reopen();
    CHECK(f.load("s").value()->messages.back().content == json::value("goes on"));
  }
}

TEST_CASE("After a compaction whose directory could not be synced the next power write syncs it") {
  CompactionFixture f;
  f.make_nearly_due();
  // All of the old log is durable, its entries too: only the new one's name is not.
  REQUIRE(f.append("s", "strong"));
  std::atomic<int> failures = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    const bool fails = call == "sync_directory" && name == "sessions";
    return fails ? (++failures, os_error(errc::io_error)) : Error();
  };
  REQUIRE(f.note(Durability::power));
  REQUIRE(f.wait_until([&] { return failures == 1; }));
  // Waits for the lock, and so for the end of the compaction.
  CHECK_FALSE(f.append("s", "strong").has_value());
  CHECK(failures == 2);
  f.close();
  std::atomic<int> synced = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    synced += call == "sync_directory" && name == "sessions";
    return Error();
  };
  f.reopen();
  REQUIRE(f.append("s", "strong"));
  CHECK(synced > 0);
  CHECK(f.records() == 2);
  CHECK(f.load("s").value()->messages.size() == f.messages_at_first + 2);
}

TEST_CASE("What a compaction put in place is known: the next write reads next to nothing") {
  CompactionFixture f;
  f.make_nearly_due();
  std::atomic<bool> renamed = false;
  std::atomic<int> syncs_after = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (call == "rename") renamed = true;
    if (renamed && call == "sync" && name == "s.jsonl") ++syncs_after;
    return Error();
  };
  REQUIRE(f.append("s", "keyed", AppendOptions().idempotency_key("k")));
  const auto noted = f.note(Durability::power);
  REQUIRE(noted);
  REQUIRE(f.wait_until([&] { return renamed.load(); }));
  // Waits for the lock, and so for the end of the compaction.
  f.faults->bytes_read = 0;
  REQUIRE(f.append("s", "more"));
  CHECK(f.faults->bytes_read < 9'000);
  CHECK(syncs_after == 1);
  CHECK(f.records() == 2);
  // Nor is it read for a save that adds to it: who does not know what is stored writes all of it.
  Session changed = **noted;
  changed.add_message("assistant", json::value("more")).add_message("user", json::value("and more"));
  REQUIRE(f.save(changed));
  CHECK(f.records() == 3);
  const std::string bytes = f.content("s");
  CHECK(storage::scan_log(bytes)->records.back().members.starts_with("\"type\":\"patch\""));
  f.close();
  // And it is in the file, for those who remember nothing.
  f.reopen();
  CHECK(f.append("s", "keyed", AppendOptions().idempotency_key("k"))->replayed);
}

TEST_CASE(
    "With compactions beside the writers, all of them overtaken, at most three bytes are written for "
    "each new one") {
  for (const bool overtaken : {false, true}) {
    CAPTURE(overtaken);
    CompactionFixture f;
    REQUIRE(f.save(testing::conversation("s", "a", 3, 10'000)));
    std::atomic<int> written = 0;
    std::atomic<int> beside = 0;
    f.faults->before = [&](const std::string& call, const std::string& name) {
      if (!is_beside(name) || call != "sync") return Error();
      ++beside;
      // Until another write is done; one that compacts the log itself does not wait for any.
      const int before = written;
      for (int i = 0; overtaken && written == before && i < 100; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return Error();
    };
    f.faults->bytes_written = 0;
    std::uint64_t fresh = 0;
    for (int i = 0; i < 250; ++i) {
      fresh += kNoteBytes + 40;
      REQUIRE(f.note());
      ++written;
      if (!overtaken && i % 5 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    f.close();
    CHECK(beside > 10);
    CHECK(f.faults->bytes_written < 3 * fresh);
    MESSAGE((100 * f.faults->bytes_written / fresh)
            << " bytes for 100 new ones, " << beside.load() << " beside");
    f.faults->before = nullptr;
    f.reopen();
    CHECK(f.load("s").value()->metadata.at("note").as_string().size() == kNoteBytes);
  }
}

}  // namespace sessile::json_directory
