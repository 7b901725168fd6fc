#include "json_directory_fixture.hpp"

#include "backends/json_directory/session_log.hpp"

#include <sessile/memory.hpp>
#include <sessile/open.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <random>

namespace sessile::json_directory {
namespace {

using testing::conversation;
using testing::Fixture;
using testing::os_error;
namespace errc = boost::system::errc;

std::size_t count_records(const std::string& bytes) {
  return storage::scan_log(bytes)->records.size();
}

/// A clock that a test moves.
class ManualClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    return TimePoint(std::chrono::microseconds(1'700'000'000'000'000));
  }
};

/// One step of a life that both stores are led through.
Result<Written> live(SessionStore& store, unsigned kind, std::uint32_t random) {
  const SessionId id("life");
  switch (kind) {
    case 0: {
      Session session = conversation("life", random % 2 == 0 ? "a" : "b", static_cast<int>(random % 7));
      session.set_title(random % 3 == 0 ? "title" : "").set_metadata("pinned", random % 5 == 0);
      session.extra["number"] = -0.0;
      return blocking::save(store, session);
    }
    case 1: {
      std::vector<Message> messages = conversation("x", "", static_cast<int>(random % 4), 300).messages;
      return blocking::append(
          store, id, messages,
          AppendOptions().idempotency_key(random % 3 == 0 ? std::to_string(random % 50) + "k" : ""));
    }
    default: {
      const Mutation change([random](Session& session) {
        if (random % 2 == 0) session.add_message("user", json::value("added"));
        if (random % 3 == 0) session.metadata["k"] = random;
        if (random % 4 == 0) session.extra.erase("number");
        if (random % 5 == 0) session.trajectory.emplace_back("tool");
        if (random % 6 == 0) session.set_agent("c");
        if (random % 7 == 0 && !session.messages.empty()) session.messages.front().role = "system";
      });
      auto updated = blocking::update(store, id, change);
      if (!updated) return updated.error();
      Written written;
      written.revision = (*updated)->revision;
      written.created_at = (*updated)->created_at;
      written.updated_at = (*updated)->updated_at;
      return written;
    }
  }
}

}  // namespace

TEST_CASE(
    "P3 P9 a directory that is not there yet lists as empty, and load, append and remove say not_found") {
  Fixture f;
  CHECK(f.list().items.empty());
  CHECK(f.load("x").error().code() == Errc::not_found);
  CHECK(f.append("x", "text").error().code() == Errc::not_found);
  CHECK(blocking::remove(*f.store, "x").error().code() == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(f.root()));
  f.reopen(OpenOptions().missing_place(MissingPlace::refuse));
  CHECK(blocking::list(*f.store).error().code() == Errc::unavailable);
  CHECK(f.save(conversation("x", "a", 1)).error().code() == Errc::unavailable);
}

TEST_CASE("A session of any id comes back as it was saved, from a store opened by its URL") {
  Fixture f;
  for (const std::string& id :
       {std::string("plain"), std::string("../up"), std::string(".dot"), std::string("sp ace/\xC3\xA9"),
        std::string(200, 'z'), std::string("a.jsonl")}) {
    Session session = conversation(id, "agent/1", 3);
    session.set_user("u").set_project("p").set_parent("parent").set_metadata("k", {1, 2.5, nullptr});
    session.extra["other"] = "kept";
    session.trajectory.push_back(TrajectoryStep("tool").set_arguments({{"x", 1}}));
    const auto written = f.save(session);
    REQUIRE(written);
    auto store = open_store("jsondir:" + f.root().string()).value();
    const auto loaded = blocking::load(*store, id);
    REQUIRE(loaded);
    session.created_at = written->created_at;
    CHECK((*loaded)->same_content(session));
    CHECK((*loaded)->revision == written->revision);
    CHECK((*loaded)->updated_at == written->updated_at);
  }
  CHECK(f.list().items.size() == 6);
  CHECK(f.list_agent("agent/1").items.size() == 6);
}

TEST_CASE("Whatever is done to a session, it is the one that the memory store has") {
  Fixture f;
  const auto clock = std::make_shared<ManualClock>();
  auto reference = make_memory_store(OpenOptions().clock(clock)).value();
  f.reopen(OpenOptions().clock(clock));
  std::mt19937 random(20261120);
  for (int step = 0; step < 400; ++step) {
    const unsigned kind = step == 0 ? 0 : random() % 10 < 2 ? 0 : random() % 2 + 1;
    const std::uint32_t number = static_cast<std::uint32_t>(random());
    CAPTURE(step);
    CAPTURE(kind);
    const auto expected = live(*reference, kind, number);
    const auto actual = live(*f.store, kind, number);
    REQUIRE(actual.has_value() == expected.has_value());
    if (!expected) {
      CHECK(actual.error().code() == expected.error().code());
      continue;
    }
    REQUIRE(*actual == *expected);
    const SessionPtr theirs = blocking::load(*reference, "life").value();
    const SessionPtr ours = f.load("life").value();
    REQUIRE(encode_session(*ours) == encode_session(*theirs));
    REQUIRE(ours->same_content(*theirs));
    SessionSummary summary = summarize(*ours);
    const auto listed = f.list();
    REQUIRE(listed.items.size() == 1);
    REQUIRE(listed.items[0] == summary);
    REQUIRE(f.list_agent(ours->agent_id.str()).items.size() == 1);
    if (step % 50 == 0) f.reopen(OpenOptions().clock(clock));
  }
}

TEST_CASE("An update that changes nothing is as durable as it says, whoever wrote what is there") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 2, 100), SaveOptions().durability(Durability::process)));
  REQUIRE(f.append("s", "one", AppendOptions().durability(Durability::process)));
  f.reopen(OpenOptions());
  int syncs = 0;
  bool fails = false;
  f.faults->before = [&](const std::string& call, const std::string&) {
    syncs += call == "sync" ? 1 : 0;
    return fails && call == "sync" ? os_error(boost::system::errc::io_error) : boost::system::error_code();
  };
  const auto nothing = [](Session&) {};
  fails = true;
  CHECK(blocking::update(*f.store, "s", nothing).error().code() == Errc::indeterminate);
  fails = false;
  // The log is poisoned: it is written anew.
  f.faults->bytes_written = 0;
  CHECK(blocking::update(*f.store, "s", nothing).value()->messages.size() == 3);
  CHECK(f.faults->bytes_written > 100);
  syncs = 0;
  CHECK(blocking::update(*f.store, "s", nothing, UpdateOptions().durability(Durability::process)));
  CHECK(syncs == 0);
}

TEST_CASE("An append writes what is new, in one sync") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 2, 30000)));
  REQUIRE(f.append("s", "settles"));
  f.faults->bytes_written = 0;
  int syncs = 0;
  f.faults->before = [&](const std::string& call, const std::string&) {
    syncs += call.starts_with("sync") ? 1 : 0;
    return boost::system::error_code();
  };
  REQUIRE(f.append("s", std::string(100, 'x')));
  CHECK(syncs == 1);
  CHECK(f.faults->bytes_written < 500);
}

TEST_CASE("The first user message of a session without a title gives it one in listings") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 0)));
  REQUIRE(f.append("s", "an answer"));
  CHECK(f.list().items.at(0).title.empty());
  REQUIRE(blocking::append(*f.store, "s", {Message("user", json::value("what\nnow"))}));
  CHECK(f.list().items.at(0).title == "what");
  REQUIRE(f.append("s", "this"));
  CHECK(f.list().items.at(0).title == "what");
  CHECK(f.list().items.at(0).message_count == 3);
}

TEST_CASE("Compaction keeps all messages and the remembered appends, and the log stays small") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 3)));
  const AppendOptions quick = AppendOptions().durability(Durability::process);
  std::uint64_t largest = 0;
  std::uint64_t before = 0;
  int compactions = 0;
  const auto keyed = [&quick](int i) {
    return AppendOptions(quick).idempotency_key("key " + std::to_string(i));
  };
  for (int i = 0; i < 1700; ++i) {
    REQUIRE(f.append("s", "m", keyed(i)));
    const std::uint64_t size = std::filesystem::file_size(f.log("s"));
    if (size < before) {
      ++compactions;
      // All that was remembered is in the new file's first record, for those who have it nowhere else.
      f.reopen();
      CHECK(f.append("s", "m", keyed(i))->replayed);
      CHECK(f.append("s", "m", keyed(i - 40))->replayed);
    }
    before = size;
    largest = std::max(largest, size);
  }
  CHECK(compactions > 0);
  const auto loaded = f.load("s").value();
  CHECK(loaded->messages.size() == 1703);
  CHECK(largest < 3 * loaded->stored_bytes + 524288 + 131072);
  CHECK(count_records(f.content("s")) < 1701);
  const auto first = f.append("s", "m", AppendOptions().idempotency_key("key 1650"));
  REQUIRE(first);
  CHECK(first->replayed);
  CHECK(f.append("s", "other", AppendOptions().idempotency_key("key 1650")).error().code() ==
        Errc::invalid_argument);
  CHECK(f.load("s").value()->messages.size() == 1703);
}

TEST_CASE("A save keeps the remembered appends, as a patch and as a snapshot") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 3)));
  REQUIRE(f.append("s", "once", AppendOptions().idempotency_key("k")));
  Session session = *f.load("s").value();
  REQUIRE(f.save(session.set_title("patched")));
  CHECK(f.content("s").find("\"type\":\"patch\"") != std::string::npos);
  CHECK(f.append("s", "once", AppendOptions().idempotency_key("k"))->replayed);
  session.messages.erase(session.messages.begin());
  REQUIRE(f.save(session));
  CHECK(f.append("s", "once", AppendOptions().idempotency_key("k"))->replayed);
  CHECK(f.load("s").value()->messages.size() == 3);
}

TEST_CASE("A save of which only the change is written keeps the order of unknown fields") {
  Fixture f;
  Session session = conversation("s", "a", 40);
  session.extra = {{"one", 1}, {"two", 2}, {"three", 3}};
  REQUIRE(f.save(session));
  const auto keys = [&f] {
    std::string found;
    const SessionPtr loaded = f.load("s").value();
    for (const auto& field : loaded->extra)
      found.append(std::string_view(field.key())).push_back(' ');
    return found;
  };
  session.extra = {{"two", 2}, {"three", 3}, {"four", 4}};
  REQUIRE(f.save(session));
  CHECK(count_records(f.content("s")) == 2);
  CHECK(keys() == "two three four ");
  // No change of single fields leads there.
  session.extra = {{"four", 4}, {"three", 3}, {"two", 2}};
  REQUIRE(f.save(session));
  CHECK(keys() == "four three two ");
}

TEST_CASE("Listing reads as much of a large session as of a small one") {
  Fixture f;
  REQUIRE(f.save(conversation("small", "a", 2)));
  REQUIRE(f.save(conversation("large", "a", 2, 4000000)));
  REQUIRE(f.append("large", "and more"));
  REQUIRE(f.save(conversation("huge", "a", 2, 4000000)));
  f.list();
  f.faults->bytes_read = 0;
  CHECK(f.list().items.size() == 3);
  CHECK(f.faults->bytes_read < 120000);
  f.faults->bytes_read = 0;
  CHECK(f.list_agent("nobody").items.empty());
  CHECK(f.faults->bytes_read == 0);
}

TEST_CASE("A session that grows beyond the limit by appends is refused, and stays as it was") {
  Fixture f;
  Limits limits;
  limits.session_bytes = 2000;
  f.reopen(OpenOptions().limits(limits));
  REQUIRE(f.save(conversation("s", "a", 1)));
  Result<Written> written = f.append("s", std::string(300, 'x'));
  int appended = 0;
  for (; written; ++appended)
    written = f.append("s", std::string(300, 'x'));
  CHECK(written.error().code() == Errc::too_large);
  CHECK(f.load("s").value()->messages.size() == static_cast<std::size_t>(appended) + 1);
}

TEST_CASE("A directory of a newer format or another engine is refused and not touched") {
  for (const std::string& marker :
       {std::string("{\"format\":2,\"engine\":\"json_directory\"}"),
        std::string("{\"format\":1,\"engine\":\"other\"}"), std::string("no json"), std::string("[1]"),
        std::string("{\"engine\":\"json_directory\"}"),
        std::string("{\"engine\":\"json_directory\",\"format\":0}")}) {
    Fixture f;
    std::filesystem::create_directories(f.root());
    f.damaged = true;
    std::ofstream(f.root() / "sessile.json") << marker;
    const bool foreign = marker.find("other") != std::string::npos || marker.find('2') != std::string::npos;
    const Errc expected = foreign ? Errc::unsupported : Errc::corrupt;
    CHECK(f.save(conversation("s", "a", 1)).error().code() == expected);
    CHECK(f.load("s").error().code() == expected);
    CHECK(blocking::list(*f.store).error().code() == expected);
    CHECK(std::distance(std::filesystem::directory_iterator(f.root()), {}) == 1);
  }
}

TEST_CASE("A log that cannot be read fails every operation on it with its place, and no other session") {
  Fixture f;
  REQUIRE(f.save(conversation("bad", "a", 3)));
  REQUIRE(f.save(conversation("good", "a", 3)));
  std::string damaged = f.content("bad");
  damaged[40] = '#';
  for (const std::string& bytes : {std::string(), std::string(100, '\0'), damaged.substr(0, 60), damaged}) {
    f.put("bad", bytes);
    const Error error = f.load("bad").error();
    CHECK(error.code() == Errc::corrupt);
    CHECK(error.path() == f.log("bad").string());
    CHECK(error.offset());
    CHECK(f.save(conversation("bad", "a", 1)).error().code() == Errc::corrupt);
    CHECK(f.append("bad", "x").error().code() == Errc::corrupt);
    CHECK(blocking::remove(*f.store, "bad").error().code() == Errc::corrupt);
    CHECK(f.content("bad") == bytes);
    const auto page = f.list();
    CHECK(page.items.size() == 1);
    REQUIRE(page.unreadable.size() == 1);
    CHECK(page.unreadable[0].code() == Errc::corrupt);
    CHECK(page.unreadable[0].key() == "bad");
    CHECK(page.unreadable[0].path() == f.log("bad").string());
  }
}

TEST_CASE("A log under another session's name is corrupt") {
  Fixture f;
  REQUIRE(f.save(conversation("a", "x", 1)));
  f.damaged = true;
  std::filesystem::copy_file(f.log("a"), f.log("b"));
  CHECK(f.load("b").error().code() == Errc::corrupt);
  CHECK(f.save(conversation("b", "x", 1)).error().code() == Errc::corrupt);
  CHECK(blocking::remove(*f.store, "b").error().code() == Errc::corrupt);
  CHECK(f.list().unreadable.size() == 1);
}

TEST_CASE("A large append of which the disk has the end but not the beginning, or the middle, never was") {
  constexpr std::size_t kSector = 512;
  for (const std::size_t size : {6000, 100000}) {
    for (const bool beginning : {true, false}) {
      CAPTURE(size);
      CAPTURE(beginning);
      Fixture f;
      REQUIRE(f.save(conversation("s", "a", 2)));
      const std::size_t begin = f.content("s").find_last_not_of('\n') + 2;
      REQUIRE(f.append("s", std::string(size, 'x')));
      std::string bytes = f.content("s");
      const std::size_t from = beginning ? begin : (begin + size / 2) / kSector * kSector;
      const std::size_t lost = (from / kSector + 1) * kSector - from;
      f.put("s", bytes.replace(from, lost, lost, '\n'));
      f.reopen();
      const auto listed = f.list().items;
      REQUIRE(listed.size() == 1);
      CHECK(listed[0].message_count == 2);
      CHECK(f.load("s").value()->messages.size() == 2);
      REQUIRE(f.append("s", "next"));
      CHECK(f.load("s").value()->messages.size() == 3);
    }
  }
}

TEST_CASE("A listing of a store opened read-only takes no lock and makes nothing, damage or not") {
  Fixture f;
  REQUIRE(f.save(conversation("good", "a", 1)));
  REQUIRE(f.save(conversation("bad", "a", 1)));
  f.put("bad", "garbage");
  for (const std::string directory : {"locks", "agents"})
    std::filesystem::remove_all(f.root() / directory);
  f.reopen(OpenOptions().access(Access::read_only));
  const auto page = f.list();
  CHECK(page.items.size() == 1);
  CHECK(page.unreadable.size() == 1);
  CHECK_FALSE(std::filesystem::exists(f.root() / "locks"));
  CHECK_FALSE(std::filesystem::exists(f.root() / "agents"));
}

TEST_CASE("A damaged byte anywhere in a log is never read as another session") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 2)));
  REQUIRE(f.append("s", "one"));
  REQUIRE(f.save(Session(*f.load("s").value()).set_title("new")));
  REQUIRE(f.append("s", "two"));
  const std::string good = f.content("s");
  const std::size_t end = storage::scan_log(good)->end;
  const std::string expected = encode_session(*f.load("s").value());
  const SessionSummary summary = f.list().items.at(0);
  for (std::size_t at = 0; at < end; ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    f.put("s", bytes);
    const auto loaded = f.load("s");
    CAPTURE(at);
    if (loaded) {
      CHECK(encode_session(**loaded) == expected);
    } else {
      CHECK(loaded.error().code() == Errc::corrupt);
    }
    const auto page = f.list();
    CHECK((page.items.empty() || page.items[0] == summary));
  }
}

/// How often each session's log is synced while `work` runs; the log of `failing` cannot be.
std::map<std::string, int> syncs_during(Fixture& f, const std::string& failing,
                                        const std::function<void()>& work) {
  std::map<std::string, int> syncs;
  f.faults->before = [&syncs, failing](const std::string& call, const std::string& name) {
    if (call == "sync") ++syncs[name];
    return call == "sync" && name == failing ? os_error(errc::io_error) : boost::system::error_code();
  };
  work();
  f.faults->before = nullptr;
  return syncs;
}

TEST_CASE("6 a session that cannot be synced keeps a flush from no other") {
  Fixture f;
  f.reopen(OpenOptions().durability(Durability::process));
  for (const char* id : {"a", "b", "c"})
    REQUIRE(f.save(conversation(id, "agent", 2)));
  auto syncs = syncs_during(f, "a.jsonl",
                            [&f] { CHECK(blocking::flush(*f.store).error().code() == Errc::indeterminate); });
  CHECK(syncs["b.jsonl"] == 1);
  CHECK(syncs["c.jsonl"] == 1);
  syncs = syncs_during(f, "", [&f] { CHECK(blocking::flush(*f.store)); });
  CHECK(syncs["b.jsonl"] == 0);
}

TEST_CASE("6 what was made durable since it was written is not for a flush to sync") {
  Fixture f;
  f.reopen(OpenOptions().durability(Durability::process));
  REQUIRE(f.save(conversation("a", "agent", 2)));
  REQUIRE(f.append("a", "more", AppendOptions().durability(Durability::power)));
  REQUIRE(f.save(conversation("b", "agent", 2)));
  REQUIRE(blocking::remove(*f.store, SessionId("b"), RemoveOptions().durability(Durability::power)));
  auto syncs = syncs_during(f, "", [&f] { CHECK(blocking::flush(*f.store)); });
  CHECK(syncs["a.jsonl"] == 0);
  REQUIRE(f.append("a", "weak"));
  syncs = syncs_during(f, "", [&f] {
    CHECK(blocking::append(*f.store, SessionId("a"), std::vector<Message>(),
                           AppendOptions().durability(Durability::power)));
  });
  CHECK(syncs["a.jsonl"] == 1);
}

}  // namespace sessile::json_directory
