// A thousand sessions through the server and out again: identical.
#include "copy/varied_sessions.hpp"
#include "support/postgres_server.hpp"
#include "support/programs.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace sessile;
using namespace sessile::testing;

TEST_CASE("A thousand sessions are the same after file to postgres to jsondir") {
  PostgresServer& server = shared_postgres();
  TemporaryDirectory place;
  const auto from = open_store("file:" + (place.path() / "from").string()).value();
  fill(from, 999);
  std::ofstream(place.path() / "from/odd.json")
      << R"({"session_id":"odd","messages":[],"created_at":"yesterday","updated_at":1767323045})";
  const std::vector<std::string> expected = documents_of(from);
  REQUIRE(expected.size() == 1000);
  const auto middle = open_store(server.url(server.make_database()) + "?durability=process").value();
  const auto to = open_store("jsondir:" + (place.path() / "to").string() + "?durability=process").value();
  const CopyReport in = run(sessile::copy(from, middle)).value();
  for (const Error& error : in.failed)
    MESSAGE(error.message());
  CHECK(in.copied == 1000);
  CHECK(in.verified == 1000);
  const CopyReport out = run(sessile::copy(middle, to)).value();
  CHECK(out.copied == 1000);
  CHECK(out.verified == 1000);
  CHECK(documents_of(to) == expected);
  run(from->append("plain-6", Message("user", "more"))).value();
  CHECK(run(sessile::copy(from, middle)).value().recopied == 1);
  CHECK(run(sessile::copy(from, middle, CopyOptions().verify_only())).value().verified == 1000);
  for (const StorePtr& store : {from, middle, to})
    check_sound(*store);
}

#ifdef SESSILE_COMMAND

namespace {

constexpr std::size_t kMessagesEach = 4;

/// A part of a real session, under an id of its own.
Session part_of(const Session& whole, std::size_t number, std::size_t from) {
  Session part = whole;
  part.id = SessionId("part-" + std::to_string(number));
  // What belongs to all of the transcript stays with its beginning.
  if (from != 0) part.extra.erase("source");
  const auto begin = whole.messages.begin() + static_cast<std::ptrdiff_t>(from);
  const auto count = std::min(kMessagesEach, whole.messages.size() - from);
  part.messages.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  return part;
}

/// Cuts the sessions in `transcripts` into parts, and those again from another message on, until there are
/// `count`.
void cut_into(const StorePtr& to, const StorePtr& transcripts, std::size_t count) {
  const auto list = run(transcripts->list(ListQuery().limit(kMaxPageSize))).value();
  std::size_t made = 0;
  for (std::size_t shift = 0; shift < kMessagesEach; ++shift) {
    for (const SessionSummary& summary : list.items) {
      const SessionPtr whole = run(transcripts->load(summary.id)).value();
      for (std::size_t from = shift; from < whole->messages.size(); from += kMessagesEach) {
        if (made == count) return;
        const auto options = SaveOptions().times(Times::preserve).durability(Durability::process);
        run(to->save(part_of(*whole, made++, from), options)).value();
      }
    }
  }
}

}  // namespace

TEST_CASE("A thousand sessions of real transcripts are the same after file to postgres to jsondir") {
  const std::filesystem::path transcripts = SESSILE_SHARED_DATA;
  if (!std::filesystem::exists(transcripts)) {
    MESSAGE("skipped: no transcripts in " << transcripts.string());
    return;
  }
  PostgresServer& server = shared_postgres();
  TemporaryDirectory place;
  const std::string imported = "file:" + (place.path() / "imported").string() + "?durability=process";
  run_program({SESSILE_COMMAND, "--store", imported, "import", transcripts.string()}, {});
  const auto from = open_store("file:" + (place.path() / "from").string()).value();
  cut_into(from, open_store(imported).value(), 1000);
  const std::vector<std::string> expected = documents_of(from);
  REQUIRE(expected.size() == 1000);
  std::size_t bytes = 0;
  for (const std::string& document : expected)
    bytes += document.size();
  MESSAGE("1,000 sessions of real transcripts, " << bytes << " bytes");
  const auto middle = open_store(server.url(server.make_database()) + "?durability=process").value();
  const auto to = open_store("jsondir:" + (place.path() / "to").string() + "?durability=process").value();
  CHECK(run(sessile::copy(from, middle)).value().verified == 1000);
  CHECK(run(sessile::copy(middle, to)).value().verified == 1000);
  CHECK(documents_of(middle) == expected);
  CHECK(documents_of(to) == expected);
  for (const StorePtr& store : {from, middle, to})
    check_sound(*store);
}

#endif
