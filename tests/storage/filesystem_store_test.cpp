// The backend of one file a session: the rows of behaviours P3 to P13, and files that cannot be read.
#include "backends/filesystem/store.hpp"
#include "faulty_directory.hpp"
#include "store_scratch.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>

namespace sessile {

using namespace std::chrono_literals;

namespace {

using test::run;
using Scratch = test::StoreScratch;
using Names = std::vector<std::string>;

StorePtr open_in(const std::filesystem::path& directory, std::string_view parameters = "") {
  return open_store("file:" + directory.string() + std::string(parameters)).value();
}

Session session_of(std::string id) {
  Session session{SessionId(std::move(id))};
  session.set_agent("agent").add_message("user", "hello");
  return session;
}

std::vector<std::string> ids_of(const Page<SessionSummary>& page) {
  std::vector<std::string> ids;
  for (const auto& summary : page.items)
    ids.push_back(summary.id.str());
  std::sort(ids.begin(), ids.end());
  return ids;
}

constexpr std::string_view kReferenceDocument = R"({
  "session_id": "ref-1",
  "agent_id": "planner",
  "created_at": "2026-01-02T03:04:05Z",
  "last_active_at": "2026-01-03T03:04:05Z",
  "formation": {"kind": "solo"},
  "parent_spawn_ref": {"parent_session_id": "root-1", "call": 3},
  "scope": "project",
  "loops": [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}]
})";

/// A file system whose one directory is `directory`.
class OneDirectory final : public storage::FileSystem {
 public:
  explicit OneDirectory(std::shared_ptr<test::Faults> faults) : faults_(std::move(faults)) {}
  storage::SysResult<std::shared_ptr<storage::Directory>> open_directory(
      const std::filesystem::path& path) override {
    auto opened = storage::real_file_system()->open_directory(path);
    if (!opened) return opened.error();
    return std::make_shared<test::FaultyDirectory>(faults_, *opened);
  }

 private:
  std::shared_ptr<test::Faults> faults_;
};

}  // namespace

TEST_CASE("P3 the directory is made by the first save; before it listing is empty and load is not_found") {
  Scratch scratch;
  const auto place = scratch / "not/yet";
  const testing::SoundAtEnd sound("file:" + place.string());
  auto store = open_in(place);
  CHECK(run(store->list()).value().items.empty());
  CHECK(run(store->load("a")).error().code() == Errc::not_found);
  CHECK(run(store->remove("a")).error().code() == Errc::not_found);
  CHECK(run(store->append("a", Message("user", "x"))).error().code() == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(place));
  run(store->save(session_of("a"))).value();
  CHECK(Scratch::names(place) == Names{"a.json", "a.json.lock"});
  CHECK(test::mode_of(place) == 0700);
  CHECK(test::mode_of(place / "a.json") == 0600);
  CHECK(test::mode_of(place / "a.json.lock") == 0600);
  CHECK(test::read(place / "a.json").find("\n") != std::string::npos);
}

TEST_CASE("P3 with create=false a missing directory is unavailable, and none is made") {
  Scratch scratch;
  auto store = open_in(scratch / "none", "?create=false");
  CHECK(run(store->list()).error().code() == Errc::unavailable);
  CHECK(run(store->load("a")).error().code() == Errc::unavailable);
  CHECK(run(store->save(session_of("a"))).error().code() == Errc::unavailable);
  CHECK(scratch.names().empty());
}

TEST_CASE("a place that is not a directory is unavailable and says why") {
  Scratch scratch;
  test::write(scratch / "file", "x");
  auto store = open_in(scratch / "file");
  for (const auto& error : {run(store->save(session_of("a"))).error(), run(store->list()).error()}) {
    CHECK(error.code() == Errc::unavailable);
    CHECK(error.detail().find("not a directory") != std::string::npos);
    CHECK(error.path() == (scratch / "file").string());
  }
}

TEST_CASE("P4 a lock held by another process longer than the deadline is locked, naming the session") {
  Scratch scratch;
  auto store = open_in(scratch.path(), "?lock_timeout=40ms");
  run(store->save(session_of("a"))).value();
  test::Holder holder(scratch.path(), "a.json.lock", "ofd");
  REQUIRE(holder.holds());
  for (const auto& error : {run(store->save(session_of("a"))).error(), run(store->remove("a")).error(),
                            run(store->append("a", Message("user", "x"))).error(),
                            run(store->update("a", [](Session& session) { session.title = "t"; })).error()}) {
    CHECK(error.code() == Errc::locked);
    CHECK(error.key() == "a");
    CHECK(error.retryable());
  }
  // P7: readers take no lock.
  CHECK(run(store->load("a")).value()->messages.size() == 1);
  CHECK(run(store->list()).value().items.size() == 1);
  holder.release();
  run(store->save(session_of("a"))).value();
}

namespace {

asio::awaitable<void> count_up(StorePtr store, int times, int* failures) {
  for (int i = 0; i < times; ++i) {
    const auto updated = co_await store->update("s", [](Session& session) {
      auto& count = session.metadata["count"];
      count = count.as_int64() + 1;
    });
    if (!updated) ++*failures;
  }
}

}  // namespace

TEST_CASE(
    "P4 with lock=flock a directory is shared with programs that take flock alone, and nothing is lost") {
  constexpr int kTimes = 150;
  Scratch scratch;
  const auto store = open_in(scratch.path(), "?lock=flock&lock_timeout=5m&durability=process");
  run(store->save(session_of("s").set_metadata("count", 0))).value();
  std::vector<test::Program> others;
  for (int i = 0; i < 2; ++i)
    others.push_back(
        test::Program({SESSILE_FOREIGN_WRITER, scratch.path().string(), "s", std::to_string(kTimes)}));
  int failures = 0;
  run(count_up(store, kTimes, &failures));
  for (auto& other : others)
    CHECK(other.wait() == 0);
  CHECK(failures == 0);
  CHECK(run(store->load("s")).value()->metadata.at("count").as_int64() == 3 * kTimes);
}

TEST_CASE("P4 only contention is locked: a sidecar that cannot be opened is another error") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  std::filesystem::create_directory(scratch / "a.json.lock");
  scratch.sound.expect(FindingKind::wrong_type);
  CHECK(run(store->save(session_of("a"))).error().code() == Errc::io);
}

TEST_CASE("P5 the temporary file is removed when the rename fails, and the old session stays") {
  Scratch scratch;
  run(open_in(scratch.path())->save(session_of("a"))).value();
  const std::string before = test::read(scratch / "a.json");
  auto faults = std::make_shared<test::Faults>();
  StorePtr store = std::make_shared<filesystem::FilesystemStore>(
      std::make_shared<OneDirectory>(faults), scratch.path(), LockOptions(), OpenOptions());
  run(store->load("a")).value();
  faults->calls.clear();
  run(store->append("a", Message("user", "x"))).value();
  const auto rename = std::find(faults->calls.begin(), faults->calls.end(), "rename") - faults->calls.begin();
  const std::string after = test::read(scratch / "a.json");
  CHECK(after != before);
  faults->calls.clear();
  // The first write opened the directory for writing, with a sync of what leads to it less by now.
  run(store->append("a", Message("user", "y"))).value();
  const auto again = std::find(faults->calls.begin(), faults->calls.end(), "rename") - faults->calls.begin();
  CHECK(again <= rename);
  const std::string kept = test::read(scratch / "a.json");
  faults->calls.clear();
  faults->index = static_cast<int>(again);
  faults->error_number = EIO;
  auto failed = run(store->append("a", Message("user", "z")));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Errc::io);
  CHECK(test::read(scratch / "a.json") == kept);
  CHECK(scratch.names() == Names{"a.json", "a.json.lock"});
}

TEST_CASE("P5 temporary files that dead writers left are swept by the next save of their session") {
  Scratch scratch;
  test::write(scratch / "a.json.tmp.17.00000000000000ff", "torn");
  test::write(scratch / "b.json.tmp.17.00000000000000ff", "torn");
  auto store = open_in(scratch.path());
  CHECK(run(store->list()).value().items.empty());
  run(store->save(session_of("a"))).value();
  CHECK(scratch.names() == Names{"a.json", "a.json.lock", "b.json.tmp.17.00000000000000ff"});
  scratch.sound.expect(FindingKind::leftover);
}

TEST_CASE("P6 the sidecar stays when its session is removed") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("a"))).value();
  struct stat before {};
  REQUIRE(::stat((scratch / "a.json.lock").c_str(), &before) == 0);
  run(store->remove("a")).value();
  CHECK(scratch.names() == Names{"a.json.lock"});
  run(store->save(session_of("a"))).value();
  struct stat after {};
  REQUIRE(::stat((scratch / "a.json.lock").c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
}

TEST_CASE("P8 only .json files are sessions; directories, links and FIFOs of such a name are told of") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("a"))).value();
  test::write(scratch / "notes.txt", "{}");
  std::filesystem::create_directory(scratch / "dir.json");
  std::filesystem::create_symlink("a.json", scratch / "link.json");
  REQUIRE(::mkfifo((scratch / "fifo.json").c_str(), 0600) == 0);
  scratch.sound.expect(FindingKind::wrong_type);
  auto page = run(store->list()).value();
  CHECK(ids_of(page) == Names{"a"});
  Names told;
  for (const Error& error : page.unreadable) {
    CHECK(error.code() == Errc::io);
    told.push_back(error.key());
  }
  std::sort(told.begin(), told.end());
  CHECK(told == Names{"dir", "fifo", "link"});
  for (const char* planted : {"link", "fifo", "dir"}) {
    CAPTURE(planted);
    CHECK(run(store->load(planted)).error().code() == Errc::io);
    CHECK(run(store->save(session_of(planted))).error().code() == Errc::io);
  }
}

TEST_CASE("P8 a document without times is ordered by its file's modification time") {
  Scratch scratch;
  test::write(scratch / "old.json", R"({"session_id":"old"})");
  test::write(scratch / "new.json", R"({"session_id":"new"})");
  test::write(scratch / "timed.json", R"({"session_id":"timed","last_active_at":"2020-01-01T00:00:00Z"})");
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(scratch / "old.json", now - 2h);
  std::filesystem::last_write_time(scratch / "new.json", now - 1h);
  std::filesystem::last_write_time(scratch / "timed.json", now);
  auto store = open_in(scratch.path());
  auto page = run(store->list()).value();
  REQUIRE(page.items.size() == 3);
  CHECK(page.items[0].id.str() == "new");
  CHECK(page.items[1].id.str() == "old");
  CHECK(page.items[2].id.str() == "timed");
  CHECK(page.items[0].updated_at == run(store->load("new")).value()->updated_at);
}

TEST_CASE("P9 load and remove of an unknown id are not_found, naming the id") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("a"))).value();
  for (const auto& error : {run(store->load("b")).error(), run(store->remove("b")).error(),
                            run(store->update("b", [](Session&) {})).error()}) {
    CHECK(error.code() == Errc::not_found);
    CHECK(error.key() == "b");
  }
}

TEST_CASE("P13 a document of the reference library loads, is rewritten and keeps that library's fields") {
  Scratch scratch;
  test::write(scratch / "ref-1.json", kReferenceDocument);
  auto store = open_in(scratch.path());
  CHECK(ids_of(run(store->list()).value()) == Names{"ref-1"});
  auto loaded = run(store->load("ref-1")).value();
  CHECK(loaded->agent_id.str() == "planner");
  CHECK(loaded->parent_id.str() == "root-1");
  CHECK(loaded->messages.size() == 2);
  CHECK(loaded->updated_at.text() == "2026-01-03T03:04:05.000000Z");
  const Written written = run(store->append("ref-1", Message("user", "more"))).value();
  CHECK(written.revision == loaded->revision + 1);
  const auto document = parse_json(test::read(scratch / "ref-1.json"), Origin::stored).value();
  CHECK(document.at("session_id").as_string() == "ref-1");
  CHECK(document.at("formation").at("kind").as_string() == "solo");
  CHECK(document.at("scope").as_string() == "project");
  CHECK(document.at("parent_spawn_ref").at("call").to_number<int>() == 3);
  CHECK(document.at("loops").is_array());
  CHECK(document.at("last_active_at").is_string());
  CHECK(run(store->load("ref-1")).value()->messages.size() == 3);
}

TEST_CASE("a file of the raw id that another program wrote is found, rewritten under its name, and removed") {
  Scratch scratch;
  test::write(scratch / "my chat.json", R"({"session_id":"my chat","agent_id":"x","messages":[]})");
  auto store = open_in(scratch.path());
  CHECK(ids_of(run(store->list()).value()) == Names{"my chat"});
  CHECK(run(store->load("my chat")).value()->agent_id.str() == "x");
  run(store->append("my chat", Message("user", "x"))).value();
  run(store->update("my chat", [](Session& session) { session.title = "t"; })).value();
  CHECK(scratch.names() == Names{"my chat.json", "my chat.json.lock"});
  run(store->remove("my chat")).value();
  CHECK(run(store->load("my chat")).error().code() == Errc::not_found);
  run(store->save(session_of("my chat"))).value();
  CHECK(scratch.names() == Names{"my chat.json.lock", "my%20chat.json", "my%20chat.json.lock"});
}

TEST_CASE("30 two files of one id: ours is the session, the other is told of and never touched") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("my chat"))).value();
  const std::string other = R"({"session_id":"my chat","agent_id":"x","messages":[]})";
  test::write(scratch / "my chat.json", other);
  scratch.sound.expect(FindingKind::corrupt);
  CHECK(run(store->load("my chat")).value()->agent_id.str() != "x");
  run(store->append("my chat", Message("user", "x"))).value();
  const auto page = run(store->list()).value();
  CHECK(ids_of(page) == Names{"my chat"});
  REQUIRE(page.unreadable.size() == 1);
  CHECK(page.unreadable[0].code() == Errc::corrupt);
  CHECK(page.unreadable[0].path() == (scratch / "my chat.json").string());
  CHECK(test::read(scratch / "my chat.json") == other);
}

TEST_CASE(
    "30 a file of a raw id that cannot be read is that id's, unless it is the name that we gave another's") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  test::write(scratch / "my chat.json", "no json");
  run(store->save(session_of("a b"))).value();
  test::write(scratch / "a%20b.json", "no json");
  scratch.sound.expect(FindingKind::corrupt);
  CHECK(run(store->load("my chat")).error().code() == Errc::corrupt);
  CHECK(run(store->save(session_of("my chat"))).error().code() == Errc::corrupt);
  CHECK(run(store->load("a b")).error().code() == Errc::corrupt);
  // Its raw name is the one of `a b`, which that file stands for.
  CHECK(run(store->load("a%20b")).error().code() == Errc::not_found);
  run(store->save(session_of("a%20b"))).value();
  CHECK(run(store->load("a%20b")).value()->id.str() == "a%20b");
  CHECK(test::read(scratch / "a%20b.json") == "no json");
}

TEST_CASE("an id that looks like another one's file name is its own session") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("my chat"))).value();
  CHECK(run(store->load("my%20chat")).error().code() == Errc::not_found);
  run(store->save(session_of("my%20chat"))).value();
  CHECK(ids_of(run(store->list()).value()) == Names{"my chat", "my%20chat"});
  run(store->remove("my chat")).value();
  CHECK(ids_of(run(store->list()).value()) == Names{"my%20chat"});
}

TEST_CASE("what cannot be read is corrupt with its path, is never overwritten, and hides no neighbour") {
  const std::string good = R"({"session_id":"bad","agent_id":"x"})";
  const std::pair<const char*, std::string> broken[] = {
      {"0 bytes", ""},
      {"filled with NULs", std::string(4096, '\0')},
      {"cut", good.substr(0, 20)},
      {"of another program", "not json at all"},
      {"not an object", "[1,2,3]"},
      {"of another id", R"({"session_id":"other","agent_id":"x"})"},
      {"without an id", R"({"agent_id":"x"})"},
  };
  for (const auto& [what, content] : broken) {
    CAPTURE(what);
    Scratch scratch;
    auto store = open_in(scratch.path());
    run(store->save(session_of("good"))).value();
    test::write(scratch / "bad.json", content);
    scratch.sound.expect(FindingKind::corrupt);
    for (const auto& error :
         {run(store->load("bad")).error(), run(store->save(session_of("bad"))).error(),
          run(store->remove("bad")).error(), run(store->append("bad", Message("user", "x"))).error(),
          run(store->update("bad", [](Session& session) { session.title = "t"; })).error()}) {
      CHECK(error.code() == Errc::corrupt);
      CHECK(error.path() == (scratch / "bad.json").string());
      CHECK(error.key() == "bad");
    }
    CHECK(test::read(scratch / "bad.json") == content);
    auto page = run(store->list()).value();
    CHECK(ids_of(page) == Names{"good"});
    REQUIRE(page.unreadable.size() == 1);
    CHECK(page.unreadable[0].code() == Errc::corrupt);
    CHECK(page.unreadable[0].key() == "bad");
    CHECK(page.unreadable[0].path() == (scratch / "bad.json").string());
  }
}

TEST_CASE(
    "a document of ours that lost its end is corrupt, with the byte where it ends, and stays as it is") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("a"))).value();
  std::filesystem::resize_file(scratch / "a.json", std::filesystem::file_size(scratch / "a.json") - 20);
  scratch.sound.expect(FindingKind::corrupt);
  const auto torn = test::read(scratch / "a.json");
  const auto error = run(store->load("a")).error();
  CHECK(error.code() == Errc::corrupt);
  REQUIRE(error.offset().has_value());
  CHECK(*error.offset() == torn.size());
  CHECK(run(store->save(session_of("a"))).error().code() == Errc::corrupt);
  CHECK(test::read(scratch / "a.json") == torn);
}

TEST_CASE("a newer format is refused and not rewritten") {
  Scratch scratch;
  const std::string newer = R"({"sessile":{"format":99},"session_id":"a"})";
  test::write(scratch / "a.json", newer);
  scratch.sound.expect(FindingKind::newer_format);
  auto store = open_in(scratch.path());
  CHECK(run(store->load("a")).error().code() == Errc::unsupported);
  CHECK(run(store->save(session_of("a"))).error().code() == Errc::unsupported);
  CHECK(test::read(scratch / "a.json") == newer);
}

TEST_CASE("compare-and-swap refuses what is not the stored revision and writes nothing") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  const Written first = run(store->save(session_of("a"), SaveOptions().if_absent())).value();
  const auto before = test::read(scratch / "a.json");
  CHECK(run(store->save(session_of("a"), SaveOptions().if_absent())).error().code() == Errc::conflict);
  CHECK(run(store->save(session_of("a"), SaveOptions().if_revision(1))).error().actual() == first.revision);
  CHECK(run(store->remove("a", RemoveOptions().if_revision(1))).error().code() == Errc::conflict);
  CHECK(run(store->append("a", std::vector<Message>(), AppendOptions().if_revision(1))).error().code() ==
        Errc::conflict);
  CHECK(run(store->append("a", std::vector<Message>())).value().revision == first.revision);
  CHECK(test::read(scratch / "a.json") == before);
  run(store->save(session_of("a"), SaveOptions().if_revision(first.revision))).value();
}

TEST_CASE("idempotency keys are remembered in the document, also through a save") {
  Scratch scratch;
  run(open_in(scratch.path())->save(session_of("a"))).value();
  const auto keyed = AppendOptions().idempotency_key("k1");
  const Written first = run(open_in(scratch.path())->append("a", Message("user", "once"), keyed)).value();
  auto store = open_in(scratch.path());
  run(store->save(*run(store->load("a")).value())).value();
  const Written again = run(open_in(scratch.path())->append("a", Message("user", "once"), keyed)).value();
  CHECK(again.replayed);
  CHECK(again.revision == first.revision);
  CHECK(run(store->load("a")).value()->messages.size() == 2);
  auto other = run(store->append("a", Message("user", "other"), keyed));
  REQUIRE_FALSE(other);
  CHECK(other.error().code() == Errc::invalid_argument);
}

TEST_CASE("a directory that was deleted and made anew while the store is open is opened again") {
  Scratch scratch;
  const auto place = scratch / "place";
  const testing::SoundAtEnd sound("file:" + place.string());
  auto store = open_in(place);
  run(store->save(session_of("a"))).value();
  std::filesystem::remove_all(place);
  CHECK(run(store->load("a")).error().code() == Errc::not_found);
  CHECK(run(store->list()).value().items.empty());
  CHECK(run(store->append("a", Message("user", "x"))).error().code() == Errc::not_found);
  run(store->save(session_of("a"))).value();
  std::filesystem::remove_all(place);
  std::filesystem::create_directory(place);
  run(store->save(session_of("b"))).value();
  std::filesystem::remove_all(place);
  std::filesystem::create_directory(place);
  run(open_in(place)->save(session_of("c"))).value();
  CHECK(run(store->load("c")).value()->id.str() == "c");
  CHECK(run(store->update("c", [](Session& session) { session.title = "t"; })).value()->title == "t");
}

TEST_CASE("flush syncs what was acknowledged with process durability, and only that") {
  Scratch scratch;
  auto faults = std::make_shared<test::Faults>();
  StorePtr store = std::make_shared<filesystem::FilesystemStore>(
      std::make_shared<OneDirectory>(faults), scratch.path(), LockOptions(),
      OpenOptions().durability(Durability::process));
  run(store->save(session_of("a"))).value();
  run(store->save(session_of("b"), SaveOptions().durability(Durability::power))).value();
  run(store->save(session_of("c"))).value();
  faults->calls.clear();
  run(store->flush()).value();
  CHECK(faults->calls == Names{"open", "sync", "open", "sync", "sync directory"});
  faults->calls.clear();
  run(store->flush()).value();
  CHECK(faults->calls.empty());

  // A failed sync is not tried again, and not forgotten until the session is written anew.
  run(store->save(session_of("a"))).value();
  faults->calls.clear();
  faults->index = 1;
  CHECK(run(store->flush()).error().code() == Errc::indeterminate);
  faults->index = -1;
  CHECK(run(store->flush()).error().code() == Errc::indeterminate);
  run(store->save(session_of("a"), SaveOptions().durability(Durability::power))).value();
  run(store->flush()).value();
}

TEST_CASE("a repeated append under its key is as durable as it says, whoever wrote the first") {
  Scratch scratch;
  run(open_in(scratch.path())->save(session_of("a"))).value();
  const auto keyed = AppendOptions().idempotency_key("k1");
  // Renamed into place, and killed before the directory was synced: that is what this looks like afterwards.
  run(open_in(scratch.path())
          ->append("a", Message("user", "x"), AppendOptions(keyed).durability(Durability::process)))
      .value();
  auto faults = std::make_shared<test::Faults>();
  StorePtr store = std::make_shared<filesystem::FilesystemStore>(
      std::make_shared<OneDirectory>(faults), scratch.path(), LockOptions(), OpenOptions());
  CHECK(run(store->append("a", Message("user", "x"), keyed)).value().replayed);
  CHECK(std::count(faults->calls.begin(), faults->calls.end(), "sync") == 1);
  CHECK(faults->calls.back() == "sync directory");
}

TEST_CASE("an update that changes nothing is as durable as it says, whoever wrote what is there") {
  Scratch scratch;
  run(open_in(scratch.path())->save(session_of("a"), SaveOptions().durability(Durability::process))).value();
  auto faults = std::make_shared<test::Faults>();
  StorePtr store = std::make_shared<filesystem::FilesystemStore>(
      std::make_shared<OneDirectory>(faults), scratch.path(), LockOptions(), OpenOptions());
  const auto nothing = [](Session&) {};
  const SessionPtr same = run(store->update("a", nothing)).value();
  CHECK(same->id == SessionId("a"));
  CHECK(std::count(faults->calls.begin(), faults->calls.end(), "sync") == 1);
  CHECK(faults->calls.back() == "sync directory");
  faults->calls.clear();
  run(store->update("a", nothing)).value();
  faults->index = static_cast<int>(faults->calls.size()) - 1;  // the same again, and its last call fails
  faults->calls.clear();
  CHECK(run(store->update("a", nothing)).error().code() == Errc::indeterminate);
  faults->index = -1;
  faults->calls.clear();
  CHECK(run(store->update("a", nothing, UpdateOptions().durability(Durability::process))).has_value());
  CHECK(std::count(faults->calls.begin(), faults->calls.end(), "sync") == 0);
}

TEST_CASE("a timeout beyond the clock's range is none") {
  Scratch scratch;
  const auto store = open_in(scratch.path());
  const auto for_ever = std::chrono::milliseconds::max();
  CHECK(run(store->save(session_of("a"), SaveOptions().timeout(for_ever))).has_value());
  CHECK(run(store->load("a", LoadOptions().timeout(for_ever / 2))).has_value());
  CHECK(run(store->update(
                "a", [](Session& s) { s.title = "t"; }, UpdateOptions().timeout(for_ever)))
            .has_value());
}

TEST_CASE("the URL takes the lock's parameters and refuses others") {
  for (const char* url : {"file:/tmp/x?lock=flock&lock_timeout=500ms&durability=process",
                          "file:/tmp/x?lock=auto&lock_timeout=2m&waiting=notify",
                          "file:/tmp/x?lock=ofd&lock_timeout=1s&waiting=backoff",
                          "file:/tmp/x?lock=interprocess&waiting=poll:5ms"}) {
    CAPTURE(url);
    CHECK(open_store(url).has_value());
  }
  for (const char* url :
       {"file:/tmp/x?lock=none", "file:/tmp/x?lock_timeout=5", "file:/tmp/x?lock_timeout=-5s",
        "file:/tmp/x?lock_timeout=99999999999999999999s", "file:/tmp/x?lock_timeout=999999999999999999m",
        "file:/tmp/x?waiting=poll", "file:/tmp/x?waiting=poll:0ms", "file:/tmp/x?waiting=poll:soon",
        "file:/tmp/x?waiting=never", "file:/tmp/x?mode=wo", "file:/tmp/x?what=1", "file:"}) {
    CAPTURE(url);
    auto opened = open_store(url);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == Errc::invalid_argument);
  }
}

TEST_CASE(
    "a directory that cannot be meant, and a negative timeout, are refused before anything is touched") {
  const auto refused = [](const auto& opened) {
    return !opened && opened.error().code() == Errc::invalid_argument && !opened.error().backend().empty();
  };
  const std::filesystem::path with_nul(std::string("/tmp/x\0y", 8));
  const LockOptions negative = LockOptions().timeout(std::chrono::milliseconds(-1));
  CHECK(refused(make_filesystem_store("")));
  CHECK(refused(make_filesystem_store(with_nul)));
  CHECK(refused(make_filesystem_store("/tmp/x", negative)));
  CHECK(refused(make_json_directory_store("")));
  CHECK(refused(make_json_directory_store(with_nul)));
  CHECK(refused(make_json_directory_store("/tmp/x", negative)));
  CHECK(refused(open_documents("")));
  CHECK(refused(open_documents(with_nul)));
  CHECK(refused(open_documents("/tmp/x", DocumentStoreOptions().lock(negative))));
}

TEST_CASE("a closed store refuses, and what it wrote is there for the next") {
  Scratch scratch;
  auto store = open_in(scratch.path());
  run(store->save(session_of("a"))).value();
  run(store->close()).value();
  CHECK(run(store->load("a")).error().code() == Errc::closed);
  CHECK(run(open_in(scratch.path())->load("a")).value()->id.str() == "a");
}

}  // namespace sessile
