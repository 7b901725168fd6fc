#include "import/ingest.hpp"

#include "support/sound.hpp"
#include "tools/transcripts.hpp"

#include <sessile/blocking.hpp>
#include <sessile/open.hpp>

#include <cstdlib>
#include <map>

using namespace sessile;
using namespace sessile::importing;

namespace {

std::string line_of(const std::string& content, const std::string& time) {
  return R"({"type":"user","sessionId":"s","timestamp":")" + time +
         R"(","message":{"role":"user","content":")" + content + "\"}}\n";
}

Result<Outcome> ingest_file(SessionStore& store, const std::filesystem::path& file) {
  const Imported imported(file);
  return ingest(store, imported.only(), imported.report.format);
}

const std::string kFirst = line_of("one", "2026-01-01T00:00:00Z");
const std::string kSecond = line_of("two", "2026-01-02T00:00:00Z");

std::filesystem::path shared_data() {
  return SESSILE_SHARED_DATA;
}

// The column of SOURCES.md that counts messages, by file.
std::map<std::string, std::uint64_t> message_counts() {
  std::map<std::string, std::uint64_t> counts;
  std::ifstream in(shared_data() / "SOURCES.md");
  for (std::string row; std::getline(in, row);) {
    if (!row.starts_with("| claude-code/") && !row.starts_with("| codex-rollout/")) continue;
    std::vector<std::string> cells(1);
    for (const char c : row) {
      if (c == '|')
        cells.emplace_back();
      else if (c != ' ')
        cells.back() += c;
    }
    if (cells.size() > 7) counts[cells[1]] = std::strtoull(cells[7].c_str(), nullptr, 10);
  }
  return counts;
}

// Stores of every scheme at hand, in folders of their own.
std::vector<std::string> store_urls(const Folder& folder) {
  std::vector<std::string> urls;
  for (const std::string& scheme : registered_schemes()) {
    if (scheme == "memory") urls.push_back("memory:");
    if (scheme == "file" || scheme == "jsondir") {
      urls.push_back(scheme + ':' + (folder.path() / scheme).string() + "?durability=process");
    }
  }
  return urls;
}

}  // namespace

TEST_CASE("A transcript is imported once, however often it is run") {
  const Folder folder;
  const auto store = open_store("memory:").value();
  const auto file = folder.write("x.jsonl", kFirst);
  CHECK(ingest_file(*store, file).value() == Outcome::imported);
  CHECK(ingest_file(*store, file).value() == Outcome::unchanged);
  const SessionPtr stored = blocking::load(*store, "s").value();
  CHECK(stored->updated_at.text() == "2026-01-01T00:00:00.000000Z");
  CHECK(stored->metadata.at("import").at("source").as_string() == std::filesystem::canonical(file).c_str());
}

TEST_CASE("A document of ours is unchanged, whatever the store stamped it with") {
  const Folder folder;
  for (const std::string& url : store_urls(folder)) {
    CAPTURE(url);
    const auto store = open_store(url).value();
    const auto file =
        folder.write("x.json", R"({"session_id":"a","updated_at":"2026-01-01T00:00:00Z","messages":[]})");
    CHECK(ingest_file(*store, file).value() == Outcome::imported);
    CHECK(ingest_file(*store, file).value() == Outcome::unchanged);
    // A field that follows updated_at, and the store's own value of it.
    const auto active = folder.write("y.json", R"({"session_id":"b","last_active_at":"2026-01-01T00:00:00Z",)"
                                               R"("updated_at":"2026-01-01T00:00:00Z","messages":[]})");
    CHECK(ingest_file(*store, active).value() == Outcome::imported);
    blocking::append(*store, "b", std::vector<Message>(1, Message("user", "x"))).value();
    const std::string line = encode_session(*blocking::load(*store, "b").value());
    CHECK(ingest_file(*store, folder.write("z.jsonl", line + "\n")).value() == Outcome::unchanged);
    // What differs in its text alone differs.
    const auto other = folder.write(
        "x.json", R"({"session_id":"a","updated_at":"2026-01-01T00:00:00Z","messages":[],"more":1})");
    CHECK(ingest_file(*store, other).error().code() == Errc::conflict);
  }
}

TEST_CASE("A document without times that grew replaces its session") {
  const Folder folder;
  const auto store = open_store("memory:").value();
  CHECK(ingest_file(*store, folder.write("x.json", R"({"session_id":"a","loops":[]})")).value() ==
        Outcome::imported);
  const auto grown = folder.write("x.json", R"({"session_id":"a","loops":[{"messages":[]}]})");
  CHECK(ingest_file(*store, grown).value() == Outcome::replaced);
}

TEST_CASE("A transcript that grew replaces its session when nobody changed that") {
  const Folder folder;
  const auto store = open_store("memory:").value();
  CHECK(ingest_file(*store, folder.write("x.jsonl", kFirst)).value() == Outcome::imported);
  CHECK(ingest_file(*store, folder.write("x.jsonl", kFirst + kSecond)).value() == Outcome::replaced);
  CHECK(blocking::load(*store, "s").value()->messages.size() == 2);
  CHECK(ingest_file(*store, folder.write("x.jsonl", kFirst + kSecond)).value() == Outcome::unchanged);
}

TEST_CASE("A session changed since its import is left alone") {
  const Folder folder;
  const auto store = open_store("memory:").value();
  CHECK(ingest_file(*store, folder.write("x.jsonl", kFirst)).has_value());
  blocking::append(*store, "s", {Message("user", "mine")}).value();
  const Result<Outcome> again = ingest_file(*store, folder.write("x.jsonl", kFirst + kSecond));
  CHECK(again.error().code() == Errc::conflict);
  CHECK(blocking::load(*store, "s").value()->messages.back().content == "mine");
}

TEST_CASE("A session of the same id from elsewhere is left alone") {
  const Folder folder;
  const auto store = open_store("memory:").value();
  CHECK(ingest_file(*store, folder.write("x.jsonl", kFirst)).has_value());
  CHECK(ingest_file(*store, folder.write("y.jsonl", kSecond)).error().code() == Errc::conflict);
  const auto other = open_store("memory:").value();
  blocking::save(*other, Session("s").add_message("user", "by hand")).value();
  CHECK(ingest_file(*other, folder.path() / "x.jsonl").error().code() == Errc::conflict);
  CHECK(blocking::load(*other, "s").value()->messages.size() == 1);
}

TEST_CASE("An exported session is compared by content, also one that was itself imported") {
  const Folder folder;
  const auto store = open_store("memory:").value();
  CHECK(ingest_file(*store, folder.write("x.jsonl", kFirst)).has_value());
  const auto copy = folder.write("export.jsonl", encode_session(*blocking::load(*store, "s").value()) + "\n");
  CHECK(ingest_file(*store, copy).value() == Outcome::unchanged);
  const auto fresh = open_store("memory:").value();
  CHECK(ingest_file(*fresh, copy).value() == Outcome::imported);
  CHECK(blocking::load(*fresh, "s").value()->same_content(*blocking::load(*store, "s").value()));
  blocking::append(*store, "s", {Message("user", "mine")}).value();
  CHECK(ingest_file(*store, copy).error().code() == Errc::conflict);
}

TEST_CASE("Real transcripts import and export again in every store with nothing lost") {
  if (!std::filesystem::exists(shared_data())) {
    MESSAGE("skipped: no transcripts at ", shared_data().string());
    return;
  }
  const std::map<std::string, std::uint64_t> counts = message_counts();
  CHECK(counts.size() == 27);
  const Folder folder;
  for (const std::string& url : store_urls(folder)) {
    CAPTURE(url);
    const sessile::testing::SoundAtEnd sound(url);
    const auto store = open_store(url).value();
    for (const auto& [name, messages] : counts) {
      CAPTURE(name);
      const Imported file(shared_data() / name);
      CHECK(file.only().messages.size() == messages);
      const std::vector<json::value> expected = independent_parse(read_file(shared_data() / name));
      CHECK(file.report.records == expected.size());
      REQUIRE(ingest(*store, file.only(), file.report.format).value() == Outcome::imported);
      const SessionPtr stored = blocking::load(*store, file.only().id).value();
      CHECK(stored->same_content(file.only()));
      const Session exported = decode_session(encode_session(*stored), Origin::stored).value();
      CHECK(exported.same_content(file.only()));
      CHECK(original_records(exported) == expected);
      CHECK(ingest(*store, file.only(), file.report.format).value() == Outcome::unchanged);
    }
  }
}
