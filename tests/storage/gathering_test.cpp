// Listings of more sessions than one thread reads alone.
#include "json_directory_fixture.hpp"

#include "backends/json_directory/log_cache.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

namespace sessile::json_directory {
namespace {

using testing::conversation;
using testing::Fixture;

constexpr int kMany = 40;

std::string id_of(int number) {
  return "s" + std::to_string(number);
}

void save_many(Fixture& f) {
  for (int i = 0; i < kMany; ++i)
    REQUIRE(f.save(conversation(id_of(i), "a", 1 + i % 5), SaveOptions().durability(Durability::process)));
}

AgentSessions sessions_of(Fixture& f, const std::string& agent, ListQuery query = ListQuery()) {
  return blocking::list_for_agent(*f.store, AgentId(agent), query).value();
}

std::vector<std::string> ids(const AgentSessions& page) {
  std::vector<std::string> found;
  for (const SessionPtr& session : page.items)
    found.push_back(session->id.str());
  return found;
}

std::vector<std::string> ids(const Page<SessionSummary>& page) {
  std::vector<std::string> found;
  for (const SessionSummary& summary : page.items)
    found.push_back(summary.id.str());
  return found;
}

void add_entry(const Fixture& f, const std::string& agent, const std::string& name) {
  std::ofstream(f.root() / "agents" / agent / name, std::ios::binary);
}

void damage(Fixture& f, const std::string& name) {
  std::string bytes = f.content(name);
  bytes[bytes.find("message 0")] ^= 1;
  f.put(name, bytes);
}

/// One that takes `bytes` in the cache, as far as that can tell, and has `seq` records.
std::unique_ptr<KnownLog> known(std::uint64_t bytes, std::uint64_t seq) {
  auto log = std::make_unique<KnownLog>();
  log->mark.seq = seq;
  log->content.base = std::make_shared<const Session>("s");
  log->state.summary.stored_bytes = bytes / 2;
  log->loaded.emplace().session = log->content.base;
  return log;
}

}  // namespace

TEST_CASE("many sessions of an agent are read whole, and in the order of a listing") {
  Fixture f;
  save_many(f);
  const AgentSessions page = sessions_of(f, "a");
  REQUIRE(page.items.size() == kMany);
  CHECK(page.next.empty());
  CHECK(ids(page) == ids(f.list_agent("a")));
  for (const SessionPtr& session : page.items)
    CHECK(encode_session(*session) == encode_session(*f.load(session->id.str()).value()));
}

TEST_CASE("what the index has left over is overlooked among many") {
  Fixture f;
  save_many(f);
  REQUIRE(f.save(conversation("other", "b", 1)));
  add_entry(f, "a", "other");
  add_entry(f, "a", "gone");
  const AgentSessions page = sessions_of(f, "a");
  CHECK(page.items.size() == kMany);
  CHECK(page.unreadable.empty());
}

TEST_CASE("one that is damaged is told of among many, and the others are listed") {
  Fixture f;
  save_many(f);
  damage(f, "s7");
  const AgentSessions page = sessions_of(f, "a");
  CHECK(page.items.size() == kMany - 1);
  REQUIRE(page.unreadable.size() == 1);
  CHECK(page.unreadable[0].code() == Errc::corrupt);
  CHECK(page.unreadable[0].key() == "s7");
  const auto summaries = f.list();
  CHECK(summaries.items.size() + summaries.unreadable.size() == kMany);
}

TEST_CASE("pages of many sessions end at the byte budget, and have each once") {
  Fixture f;
  save_many(f);
  const auto all = sessions_of(f, "a");
  std::uint64_t bytes = 0;
  for (const SessionPtr& session : all.items)
    bytes += session->stored_bytes;
  CHECK(sessions_of(f, "a", ListQuery().byte_budget(bytes + 1)).items.size() == kMany);
  std::vector<std::string> found;
  ListQuery query;
  query.byte_budget(bytes / 3);
  for (int pages = 1;; ++pages) {
    const AgentSessions page = sessions_of(f, "a", query);
    for (auto& id : ids(page))
      found.push_back(std::move(id));
    if (page.next.empty()) {
      CHECK(pages >= 3);
      break;
    }
    REQUIRE(pages <= kMany);
    query.cursor(page.next);
  }
  CHECK(found == ids(all));
}

TEST_CASE("a listing remembers what it read, where there is room") {
  Fixture f;
  save_many(f);
  const AgentSessions first = sessions_of(f, "a");
  const AgentSessions second = sessions_of(f, "a");
  REQUIRE(second.items.size() == kMany);
  for (std::size_t i = 0; i < kMany; ++i)
    CHECK(second.items[i] == first.items[i]);
}

TEST_CASE("nothing is forgotten for one of many that are read") {
  const sessile::testing::TemporaryDirectory place;
  const auto directory = storage::real_file_system()->open_directory(place.path());
  REQUIRE(directory);
  LogCache cache;
  constexpr std::uint64_t kThird = std::uint64_t{21} << 20;
  for (const std::string name : {"1", "2", "3"})
    cache.offer_if_room(**directory, name, known(kThird, 1));
  for (const std::string name : {"1", "2", "3"})
    CHECK(cache.loaded(**directory, name));
  cache.offer_if_room(**directory, "4", known(kThird, 1));
  CHECK_FALSE(cache.loaded(**directory, "4"));
  SUBCASE("a later state takes the place of the one before") {
    cache.offer_if_room(**directory, "1", known(kThird, 2));
    CHECK(cache.take(**directory, "1")->mark.seq == 2);
  }
  SUBCASE("but not when it is too large for it") {
    cache.offer_if_room(**directory, "1", known(kThird + (std::uint64_t{4} << 20), 2));
    CHECK(cache.take(**directory, "1")->mark.seq == 1);
  }
  SUBCASE("for one that is loaded by itself others go") {
    cache.offer(**directory, "4", known(kThird, 1));
    CHECK(cache.loaded(**directory, "4"));
    CHECK_FALSE(cache.loaded(**directory, "1"));
  }
}

TEST_CASE("many are listed by several at a time while they are written and removed") {
  Fixture f;
  save_many(f);
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  const auto list_often = [&] {
    do {
      const auto page = blocking::list_for_agent(*f.store, AgentId("a"));
      if (!page || !page->unreadable.empty() || page->items.size() < kMany / 2) ++wrong;
      const auto summaries = blocking::list(*f.store, ListQuery().agent("a"));
      if (!summaries || !summaries->unreadable.empty() || summaries->items.size() < kMany / 2) ++wrong;
    } while (!over);
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back(list_often);
  const auto fast = SaveOptions().durability(Durability::process);
  // The first half stays, and grows.
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kMany / 2; ++i) {
      if (!f.append(id_of(i), "more", AppendOptions().durability(Durability::process))) ++wrong;
      const std::string comes_and_goes = id_of(kMany / 2 + i);
      if (!blocking::remove(*f.store, SessionId(comes_and_goes))) ++wrong;
      if (!f.save(conversation(comes_and_goes, "a", 2), fast)) ++wrong;
    }
  }
  over = true;
  for (auto& reader : readers)
    reader.join();
  CHECK(wrong == 0);
}

}  // namespace sessile::json_directory
