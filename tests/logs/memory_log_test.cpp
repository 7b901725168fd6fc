// The memory across sessions, in one process (H6 to H9).
#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include "storage/log_record.hpp"

#include <sessile/json.hpp>
#include <sessile/memory_log.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <boost/asio/thread_pool.hpp>

#include <fstream>
#include <future>
#include <set>
#include <sstream>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

class Fixture {
 public:
  MemoryLog open(LogOptions options = LogOptions()) const {
    return run(MemoryLog::open(file, options.clock(clock))).value();
  }
  std::string bytes() const {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  void write(std::string_view text) const { std::ofstream(file, std::ios::binary) << text; }

  TemporaryDirectory place;
  std::filesystem::path file = place.path() / "memory.jsonl";
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  SoundAtEnd sound{[this] { return run(MemoryLog::verify(file)); }};
};

std::string ids(const std::vector<MemoryItem>& items) {
  std::string text;
  for (const MemoryItem& item : items)
    text += std::to_string(item.id) + " ";
  return text;
}

std::string listed(MemoryLog& memory, MemoryQuery query = MemoryQuery()) {
  return ids(run(memory.list(query)).value());
}

}  // namespace

TEST_CASE("H6 add gives increasing ids and the time; everything comes back after reopening") {
  Fixture fixture;
  MemoryItem first;
  {
    MemoryLog memory = fixture.open();
    first =
        run(memory.add(
                MemoryNote(MemoryKind::pref, "Answers in \u00e9nglish\n").tag("language").set_source("s-1")))
            .value();
    CHECK(first.id == 1);
    CHECK(first.created_at.text() == "2026-11-20T09:30:00.000000Z");
    fixture.clock->advance(1s);
    CHECK(run(memory.add(MemoryKind::fact, "The harbour faces north.")).value().id == 2);
    CHECK(run(memory.add(MemoryKind::context, "Spring tide on Monday.")).value().id == 3);
    run(memory.close()).value();
  }
  MemoryLog memory = fixture.open();
  const auto items = run(memory.list()).value();
  REQUIRE(items.size() == 3);
  CHECK(items[2] == first);
  CHECK(items[1].created_at.text() == "2026-11-20T09:30:01.000000Z");
  CHECK(items[0].note.kind == MemoryKind::context);
}

TEST_CASE(
    "H6 blank content, another kind, bad UTF-8, bad tags and too much are refused, and nothing is written") {
  Fixture fixture;
  Limits limits;
  limits.message_bytes = 1000;
  MemoryLog memory = fixture.open(LogOptions().limits(limits));
  const auto refusal = [&memory](const MemoryNote& note) { return run(memory.add(note)).error().code(); };
  CHECK(refusal(MemoryNote(MemoryKind::fact, "")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, " \n\t")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(static_cast<MemoryKind>(7), "x")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, "\xff")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, "x").tag("")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, "x").tag(std::string(201, 't'))) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, "x").tag("\xff")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, "x").set_source("\xff")) == Errc::invalid_argument);
  CHECK(refusal(MemoryNote(MemoryKind::fact, std::string(1001, 'x'))) == Errc::too_large);
  CHECK_FALSE(std::filesystem::exists(fixture.file));
  CHECK(parse_memory_kind("pref").value() == MemoryKind::pref);
  CHECK(parse_memory_kind("opinion").error().code() == Errc::invalid_argument);
  CHECK(parse_memory_kind("").error().code() == Errc::invalid_argument);
}

TEST_CASE("H7 forget takes an item away, once; what was never there is no harm and writes nothing") {
  Fixture fixture;
  MemoryLog memory = fixture.open();
  CHECK_FALSE(run(memory.forget(1)).value());
  for (const char* text : {"one", "two", "three"})
    run(memory.add(MemoryKind::fact, text)).value();
  CHECK(run(memory.forget(2)).value());
  CHECK(listed(memory) == "3 1 ");
  const std::string before = fixture.bytes();
  CHECK_FALSE(run(memory.forget(2)).value());
  CHECK_FALSE(run(memory.forget(0)).value());
  CHECK_FALSE(run(memory.forget(~MemoryId{0})).value());
  CHECK(fixture.bytes() == before);
  run(memory.close()).value();
  MemoryLog again = fixture.open();
  CHECK(listed(again) == "3 1 ");
}

TEST_CASE("H7 list is newest first, by kind and by tag, and cut at a limit") {
  Fixture fixture;
  MemoryLog memory = fixture.open();
  run(memory.add(MemoryNote(MemoryKind::fact, "1").tag("a"))).value();
  run(memory.add(MemoryNote(MemoryKind::pref, "2").tag("a").tag("b"))).value();
  run(memory.add(MemoryNote(MemoryKind::fact, "3").tag("b"))).value();
  run(memory.add(MemoryNote(MemoryKind::fact, "4").tag("a"))).value();
  CHECK(listed(memory) == "4 3 2 1 ");
  CHECK(listed(memory, MemoryQuery().kind(MemoryKind::fact)) == "4 3 1 ");
  CHECK(listed(memory, MemoryQuery().tag("b")) == "3 2 ");
  CHECK(listed(memory, MemoryQuery().kind(MemoryKind::fact).tag("a")) == "4 1 ");
  CHECK(listed(memory, MemoryQuery().tag("a").limit(2)) == "4 2 ");
  CHECK(listed(memory, MemoryQuery().tag("c")).empty());
}

TEST_CASE(
    "H7 items without a usable id and unknown records are passed over, tombstones without a target too") {
  Fixture fixture;
  const std::vector<std::string> records = {
      R"("memory":{"format":1,"highest_id":0,"items":[]})",
      R"("add":{"kind":"fact","content":"no id"})",
      R"("add":{"id":"7","kind":"fact","content":"an id that is a text"})",
      R"("add":{"id":-3,"kind":"fact","content":"negative"})",
      R"("add":{"id":9007199254740993,"kind":"fact","content":"beyond what every reader holds"})",
      R"("add":{"id":4,"kind":"fact","content":"good","later":"field"})",
      R"("add":{"id":5,"kind":"opinion","content":"a kind of the future"})",
      R"("forget":99,"at":"2026-11-20T09:30:00Z")",
      R"("remark":"unknown")",
      R"("add":7)",
  };
  std::string text;
  for (std::size_t i = 0; i < records.size(); ++i)
    text += storage::frame_record(i + 1, records[i]);
  fixture.write(text);
  MemoryLog memory = fixture.open();
  CHECK(listed(memory) == "4 ");
  CHECK(run(memory.add(MemoryKind::fact, "next")).value().id == 100);
}

TEST_CASE("H8 reopening continues the ids after the highest ever used, tombstones and compaction included") {
  Fixture fixture;
  const auto next_id = [&fixture] {
    MemoryLog memory = fixture.open();
    const MemoryId id = run(memory.add(MemoryKind::fact, "x")).value().id;
    run(memory.close()).value();
    return id;
  };
  CHECK(next_id() == 1);
  CHECK(next_id() == 2);
  {
    MemoryLog memory = fixture.open();
    run(memory.forget(2)).value();
    run(memory.close()).value();
  }
  CHECK(next_id() == 3);
  {
    MemoryLog memory = fixture.open();
    run(memory.forget(3)).value();
    run(memory.forget(1)).value();
    run(memory.compact()).value();
    CHECK(listed(memory).empty());
    run(memory.close()).value();
  }
  CHECK(next_id() == 4);
  {
    MemoryLog memory = fixture.open();
    run(memory.compact()).value();
    CHECK(run(memory.add(MemoryKind::fact, "y")).value().id == 5);
    run(memory.close()).value();
  }
  CHECK(next_id() == 6);
}

TEST_CASE("H8 ids continue wherever a line straddles the boundaries of buffers") {
  Fixture fixture;
  for (const std::size_t bytes : {400, 4000, 4096, 8100, 65000, 65536, 66000, 131000}) {
    std::filesystem::remove(fixture.file);
    for (std::size_t shift = 0; shift < 3; ++shift) {
      CAPTURE(bytes);
      MemoryLog memory = fixture.open(LogOptions().durability(Durability::process));
      const MemoryId id = run(memory.add(MemoryKind::fact, std::string(bytes + 31 * shift, 'x'))).value().id;
      CHECK(id == 2 * shift + 1);
      CHECK(run(memory.add(MemoryKind::fact, "small")).value().id == id + 1);
      CHECK(run(memory.forget(id + 1)).value());
      run(memory.close()).value();
    }
    MemoryLog memory = fixture.open(LogOptions().durability(Durability::process));
    CHECK(listed(memory) == "5 3 1 ");
    CHECK(run(memory.list()).value()[0].note.content.size() == bytes + 62);
  }
}

TEST_CASE("H8 compaction drops what was forgotten, keeps ids and times, and makes the file smaller") {
  Fixture fixture;
  MemoryLog memory = fixture.open();
  CHECK(run(memory.compact()).value().bytes_after == 0);
  for (int i = 0; i < 50; ++i)
    run(memory.add(MemoryNote(MemoryKind::fact, "secret " + std::to_string(i)).tag("t").set_source("s")))
        .value();
  for (MemoryId id = 1; id <= 48; ++id)
    run(memory.forget(id)).value();
  const auto before = run(memory.list()).value();
  const CompactReport report = run(memory.compact()).value();
  CHECK(report.bytes_after < report.bytes_before);
  CHECK(run(memory.list()).value() == before);
  CHECK(fixture.bytes().find("secret 7\"") == std::string::npos);
  CHECK(fixture.bytes().find("secret 49\"") != std::string::npos);
  CHECK(run(memory.add(MemoryKind::pref, "after")).value().id == 51);
  run(memory.close()).value();
  MemoryLog again = fixture.open();
  CHECK(listed(again) == "51 50 49 ");
}

TEST_CASE("H8 a torn last record is dropped, damage anywhere else is corrupt with its offset") {
  Fixture fixture;
  {
    MemoryLog memory = fixture.open();
    for (const char* text : {"one", "two", "three"})
      run(memory.add(MemoryKind::fact, text)).value();
    run(memory.close()).value();
  }
  const std::string padded = fixture.bytes();
  const std::string whole = padded.substr(0, padded.find_last_not_of('\n') + 2);
  const std::size_t third = whole.rfind("{\"crc\"");
  for (const std::size_t cut : {third + 1, third + 30, whole.size() - 3}) {
    CAPTURE(cut);
    fixture.write(whole.substr(0, cut));
    MemoryLog memory = fixture.open();
    CHECK(listed(memory) == "2 1 ");
    CHECK(run(memory.add(MemoryKind::fact, "next")).value().id == 3);
    run(memory.close()).value();
    MemoryLog again = fixture.open();
    CHECK(listed(again) == "3 2 1 ");
  }
  std::string damaged = whole;
  const std::size_t second = whole.find("\"two\"");
  damaged[second + 1] ^= 1;
  fixture.write(damaged);
  const Error error = run(MemoryLog::open(fixture.file)).error();
  CHECK(error.code() == Errc::corrupt);
  CHECK(error.path() == fixture.file.string());
  CHECK(error.offset() == whole.rfind("{\"crc\"", second));
  CHECK(fixture.bytes() == damaged);
  fixture.write(std::string(4096, '\0'));
  fixture.sound.expect(FindingKind::corrupt);
  CHECK(run(MemoryLog::open(fixture.file)).error().code() == Errc::corrupt);
}

TEST_CASE("H8 a memory of a newer format is refused and left alone; an empty file is an empty memory") {
  Fixture fixture;
  const std::string newer = storage::frame_record(1, R"("memory":{"format":2,"highest_id":0,"items":[]})");
  fixture.write(newer);
  CHECK(run(MemoryLog::open(fixture.file)).error().code() == Errc::unsupported);
  CHECK(fixture.bytes() == newer);
  fixture.write("");
  MemoryLog memory = fixture.open();
  CHECK(run(memory.add(MemoryKind::fact, "x")).value().id == 1);
}

TEST_CASE("H5 a second open in the process is locked, and names the holder's pid and host") {
  Fixture fixture;
  MemoryLog memory = fixture.open();
  const Error error = run(MemoryLog::open(fixture.file)).error();
  CHECK(error.code() == Errc::locked);
  REQUIRE(error.holder().has_value());
  CHECK(error.holder()->pid == ::getpid());
  char host[256] = {};
  REQUIRE(::gethostname(host, sizeof(host) - 1) == 0);
  CHECK(error.holder()->host == host);
  CHECK(error.holder()->since == "2026-11-20T09:30:00.000000Z");
  CHECK(error.message().find(std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("H5 files are 0600, a directory that is made is 0700") {
  Fixture fixture;
  fixture.file = fixture.place.path() / "new" / "memory.jsonl";
  MemoryLog memory = fixture.open();
  run(memory.add(MemoryKind::fact, "x")).value();
  for (const auto& entry : std::filesystem::directory_iterator(fixture.file.parent_path())) {
    struct stat status {};
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
  }
  struct stat status {};
  REQUIRE(::stat(fixture.file.parent_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
}

TEST_CASE("H9 close frees the lock; using a closed handle is `closed`; closing twice is harmless") {
  Fixture fixture;
  MemoryLog memory = fixture.open();
  run(memory.add(MemoryKind::fact, "x")).value();
  run(memory.close()).value();
  run(memory.close()).value();
  CHECK(run(memory.add(MemoryKind::fact, "y")).error().code() == Errc::closed);
  CHECK(run(memory.forget(1)).error().code() == Errc::closed);
  CHECK(run(memory.list()).error().code() == Errc::closed);
  CHECK(run(memory.compact()).error().code() == Errc::closed);
  MemoryLog other = fixture.open();
  CHECK(listed(other) == "1 ");
  CHECK(run(memory.add(MemoryKind::fact, "y")).error().code() == Errc::closed);
}

TEST_CASE("H9 destroying or replacing a handle frees the lock at once") {
  Fixture fixture;
  for (int i = 0; i < 50; ++i) {
    MemoryLog memory = fixture.open(LogOptions().durability(Durability::process));
    CHECK(run(memory.add(MemoryKind::fact, "x")).value().id == MemoryId(i + 1));
  }
  MemoryLog memory = fixture.open();
  MemoryLog elsewhere = run(MemoryLog::open(fixture.place.path() / "other.jsonl", LogOptions())).value();
  memory = std::move(elsewhere);
  MemoryLog again = fixture.open();
  CHECK(run(again.list()).value().size() == 50);
}

TEST_CASE("H9 an operation outlives its handle, and the lock is held until it has ended") {
  Fixture fixture;
  asio::io_context context(1);
  std::optional<Result<MemoryItem>> outcome;
  {
    MemoryLog memory = fixture.open();
    asio::co_spawn(
        context, memory.add(MemoryKind::fact, "x"),
        [&outcome](std::exception_ptr, Result<MemoryItem> result) { outcome.emplace(std::move(result)); });
    // As far as the job that waits in the pool.
    context.poll();
  }
  context.run();
  REQUIRE(outcome.has_value());
  CHECK((outcome->has_value() || outcome->error().code() == Errc::closed));
  const bool added = outcome->has_value();
  MemoryLog memory = fixture.open();
  CHECK(listed(memory) == (added ? "1 " : ""));
}

TEST_CASE("H6 threads that share a handle get distinct ids, and nothing is lost") {
  Fixture fixture;
  MemoryLog memory = fixture.open(LogOptions().durability(Durability::process));
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::set<MemoryId> seen;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        const MemoryId id = run(memory.add(MemoryKind::fact, "x")).value().id;
        if (j % 2 == 0) run(memory.forget(id)).value();
        if (j % 10 == 0) run(memory.compact()).value();
        const std::lock_guard lock(mutex);
        seen.insert(id);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(seen.size() == 200);
  CHECK(*seen.rbegin() == 200);
  run(memory.close()).value();
  MemoryLog again = fixture.open();
  CHECK(run(again.list()).value().size() == 100);
}

TEST_CASE("H8 what was acknowledged is read again, however near to the limit the memory is") {
  for (const std::size_t kilobytes : {40, 90, 200, 340, 500, 900}) {
    CAPTURE(kilobytes);
    Fixture fixture;
    Limits limits;
    limits.session_bytes = std::uint64_t{1} << 20;
    limits.message_bytes = limits.session_bytes;
    const LogOptions options = LogOptions().limits(limits).durability(Durability::process);
    std::size_t added = 0;
    {
      MemoryLog memory = fixture.open(options);
      for (; added < 40; ++added) {
        const auto item = run(memory.add(MemoryKind::fact, std::string(kilobytes << 10, 'x')));
        if (item) continue;
        CHECK(item.error().code() == Errc::too_large);
        break;
      }
    }
    CHECK(added > 0);
    MemoryLog again = fixture.open(options);
    CHECK(run(again.list()).value().size() == added);
    run(again.close()).value();
    CHECK(run(MemoryLog::verify(fixture.file, VerifyOptions(), options)).value().findings.empty());
  }
}

TEST_CASE("H9 a handle may go while its close is at work on another thread") {
  Fixture fixture;
  asio::thread_pool pool(2);
  for (int i = 0; i < 200; ++i) {
    std::promise<void> closed;
    {
      MemoryLog memory = fixture.open(LogOptions().durability(Durability::process));
      asio::co_spawn(pool, memory.close(),
                     [&closed](std::exception_ptr, const Result<void>&) { closed.set_value(); });
      if (i % 2 == 0) std::this_thread::yield();
    }
    closed.get_future().get();
  }
}

TEST_CASE("H6 a memory without a limit opens again, however large it is") {
  Fixture fixture;
  Limits limits;
  limits.session_bytes = UINT64_MAX;
  const LogOptions options = LogOptions().limits(limits).durability(Durability::process);
  const std::string text(1 << 20, 't');
  {
    MemoryLog memory = fixture.open(options);
    for (int i = 0; i < 3; ++i)
      run(memory.add(MemoryKind::fact, text)).value();
    run(memory.compact()).value();
    run(memory.close()).value();
  }
  MemoryLog memory = fixture.open(options);
  CHECK(run(memory.list()).value().size() == 3);
}
