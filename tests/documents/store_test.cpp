// Documents as such: saved, loaded, listed, removed.
#include "document_scratch.hpp"

#include <sessile/backend.hpp>
#include <sessile/documents.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

#include <boost/asio/thread_pool.hpp>

using namespace sessile;
using blocking::wait;
using Scratch = sessile::test::DocumentScratch;

namespace {

DocumentStore open(const Scratch& scratch) {
  return open_documents(scratch / "base").value();
}

/// The error of a result that must have one.
template <class T>
Error refused(Result<T> result) {
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

}  // namespace

TEST_CASE("O1 a JSON document is a readable file in its category, and loads with its order and numbers") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const std::string text =
      "{\"z\":1,\"a\":[],\"m\":{\"big\":18446744073709551615,\"d\":0.1,\"neg\":-0.0},\"l\":[1,\"\\u0000\"]}";
  const auto value = parse_json(text, Origin::caller).value();
  const Revision written = wait(documents.save_json("notes", "one", value)).value();
  CHECK(test::read(scratch / "base/notes/one.json") ==
        "{\n  \"z\": 1,\n  \"a\": [],\n  \"m\": {\n    \"big\": 18446744073709551615,\n    \"d\": 0.1,\n"
        "    \"neg\": -0.0\n  },\n  \"l\": [\n    1,\n    \"\\u0000\"\n  ]\n}\n");
  const auto loaded = wait(documents.load_json("notes", "one")).value();
  REQUIRE(loaded.has_value());
  std::string again;
  write_json(again, loaded->value);
  CHECK(again == text);
  CHECK(loaded->revision == written);
}

TEST_CASE("O1 a Markdown document is kept byte for byte, beside the JSON document of the same name") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const std::string text = "# Title\r\n\r\nno newline at the end \xe2\x80\xa8";
  wait(documents.save_markdown("notes", "one", text)).value();
  wait(documents.save_json("notes", "one", nullptr)).value();
  CHECK(test::read(scratch / "base/notes/one.md") == text);
  CHECK(wait(documents.load_markdown("notes", "one")).value()->text == text);
  CHECK(wait(documents.load_json("notes", "one")).value()->value.is_null());
  CHECK(refused(wait(documents.save_markdown("notes", "two", "\xff"))).code() == Errc::invalid_argument);
  test::write(scratch / "base/notes/three.md", "abc\xff");
  scratch.sound.expect(FindingKind::corrupt);
  const Error error = refused(wait(documents.load_markdown("notes", "three")));
  CHECK(error.code() == Errc::corrupt);
  CHECK(error.offset() == 3);
}

TEST_CASE("O1 loading what is missing is nothing, not an error, and makes nothing") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  CHECK_FALSE(wait(documents.load_json("notes", "one")).value().has_value());
  CHECK_FALSE(wait(documents.load_markdown("notes", "one")).value().has_value());
  CHECK_FALSE(std::filesystem::exists(scratch / "base"));
  wait(documents.save_json("notes", "other", 1)).value();
  CHECK_FALSE(wait(documents.load_json("notes", "one")).value().has_value());
  CHECK_FALSE(wait(documents.load_markdown("notes", "other")).value().has_value());
}

TEST_CASE(
    "O1 a document that cannot be read is corrupt, with its path and offset, and is not overwritten by an "
    "update") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  wait(documents.save_json("notes", "other", 1)).value();
  test::write(scratch / "base/notes/one.json", "{\"a\": tru}");
  scratch.sound.expect(FindingKind::corrupt);
  const Error error = refused(wait(documents.load_json("notes", "one")));
  CHECK(error.code() == Errc::corrupt);
  CHECK(error.path() == (scratch / "base/notes/one.json").string());
  CHECK(error.key() == "notes/one");
  CHECK(error.offset().has_value());
  CHECK(refused(wait(documents.update_json("notes", "one", DocumentEdit::set("a", 1)))).code() ==
        Errc::corrupt);
  CHECK(test::read(scratch / "base/notes/one.json") == "{\"a\": tru}");
}

TEST_CASE("O3 a listing has each name once, without extension, sorted, and nothing of other kinds") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  CHECK(wait(documents.list("notes")).value().empty());
  for (const char* name : {"b", "a", "B"})
    wait(documents.save_json("notes", name, 1)).value();
  wait(documents.save_markdown("notes", "a", "x")).value();
  wait(documents.save_markdown("notes", "c", "x")).value();
  wait(documents.save_json("notes/nested", "n", 1)).value();
  test::write(scratch / "base/notes/.hidden.json", "1");
  test::write(scratch / "base/notes/other.txt", "1");
  test::write(scratch / "base/notes/d.json.tmp.1.0123456789abcdef", "1");
  scratch.sound.expect(FindingKind::leftover);
  std::filesystem::create_directory(scratch / "base/notes/directory.json");
  CHECK(wait(documents.list("notes")).value() == std::vector<std::string>{"B", "a", "b", "c"});
}

TEST_CASE("M1 a category and a document exist or not, and hidden files are not listed") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  CHECK_FALSE(wait(documents.exists("session-1")).value());
  CHECK_FALSE(wait(documents.exists("session-1", "state")).value());
  wait(documents.save_json("session-1", "state", 1)).value();
  wait(documents.save_markdown("session-1", "report", "x")).value();
  CHECK(wait(documents.exists("session-1")).value());
  CHECK(wait(documents.exists("session-1", "state")).value());
  CHECK(wait(documents.exists("session-1", "report")).value());
  CHECK_FALSE(wait(documents.exists("session-1", "other")).value());
  CHECK_FALSE(wait(documents.exists("session-2")).value());
  // The lock's files are hidden ones.
  CHECK(std::filesystem::exists(scratch / "base/session-1/.lock"));
  CHECK(wait(documents.list("session-1")).value() == std::vector<std::string>{"report", "state"});
}

TEST_CASE("O4 remove takes the JSON document, else the Markdown one, and says whether there was one") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  CHECK_FALSE(wait(documents.remove("notes", "one")).value());
  CHECK_FALSE(std::filesystem::exists(scratch / "base"));
  wait(documents.save_json("notes", "one", 1)).value();
  wait(documents.save_markdown("notes", "one", "x")).value();
  CHECK(wait(documents.remove("notes", "one")).value());
  CHECK_FALSE(wait(documents.load_json("notes", "one")).value().has_value());
  CHECK(wait(documents.load_markdown("notes", "one")).value().has_value());
  CHECK(wait(documents.remove("notes", "one")).value());
  CHECK_FALSE(wait(documents.remove("notes", "one")).value());
}

TEST_CASE("O5 documents are written for the owner alone, whatever the umask") {
  const Scratch scratch;
  const test::Umask loose(0);
  wait(open(scratch).save_json("notes/deep", "one", 1)).value();
  CHECK(test::mode_of(scratch / "base") == 0700);
  CHECK(test::mode_of(scratch / "base/notes/deep") == 0700);
  CHECK(test::mode_of(scratch / "base/notes/deep/one.json") == 0600);
  CHECK(test::mode_of(scratch / "base/notes/deep/.lock") == 0600);
}

TEST_CASE("O1 a write by revision is refused with both revisions when another is stored") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const Revision first =
      wait(documents.save_json("notes", "one", 1, DocumentWriteOptions().if_absent())).value();
  const Error taken =
      refused(wait(documents.save_json("notes", "one", 2, DocumentWriteOptions().if_absent())));
  CHECK(taken.code() == Errc::conflict);
  CHECK(taken.actual() == first);
  const auto at_first = DocumentWriteOptions().if_revision(first);
  const Revision second = wait(documents.save_json("notes", "one", 2, at_first)).value();
  CHECK(second != first);
  CHECK(refused(wait(documents.save_json("notes", "one", 3, at_first))).code() == Errc::conflict);
  CHECK(refused(wait(documents.remove("notes", "one", at_first))).code() == Errc::conflict);
  CHECK(refused(wait(documents.remove("notes", "none", at_first))).code() == Errc::conflict);
  const auto edit = DocumentEdit::set_pointer("", 4);
  CHECK(refused(wait(documents.update_json("notes", "one", edit, DocumentUpdateOptions().if_revision(first))))
            .code() == Errc::conflict);
  CHECK(wait(documents.read_json("notes", "one")).value().value == 2);
  // What another program writes has a revision as well.
  test::write(scratch / "base/notes/one.json", "5");
  const auto foreign = wait(documents.read_json("notes", "one")).value();
  CHECK(foreign.revision == content_revision("5"));
  CHECK(
      wait(documents.update_json("notes", "one", edit, DocumentUpdateOptions().if_revision(foreign.revision)))
          .value()
          .value == 4);
  CHECK(wait(documents.remove("notes", "one", DocumentWriteOptions().if_revision(content_revision("4\n"))))
            .value());
}

TEST_CASE("O1 what cannot be stored exactly, or is over a limit, is refused and nothing is written") {
  const Scratch scratch;
  const auto options = DocumentStoreOptions().document_bytes(100).depth(4);
  const DocumentStore documents = open_documents(scratch / "base", options).value();
  const auto infinite = json::value(std::numeric_limits<double>::infinity());
  CHECK(refused(wait(documents.save_json("n", "a", infinite))).code() == Errc::invalid_argument);
  CHECK(refused(wait(documents.save_json("n", "a", "\xff"))).code() == Errc::invalid_argument);
  CHECK(refused(wait(documents.save_json("n", "a", json::value(std::string(100, 'x'))))).code() ==
        Errc::too_large);
  CHECK(refused(wait(documents.save_markdown("n", "a", std::string(101, 'x')))).code() == Errc::too_large);
  const auto deep = parse_json("[[[[[]]]]]", Origin::caller).value();
  CHECK(refused(wait(documents.save_json("n", "a", deep))).code() == Errc::too_large);
  CHECK_FALSE(std::filesystem::exists(scratch / "base"));
  wait(documents.save_json("n", "a", 1)).value();
  test::write(scratch / "base/n/big.json", '"' + std::string(101, '1') + '"');
  CHECK(refused(wait(documents.load_json("n", "big"))).code() == Errc::too_large);
}

TEST_CASE("M3 reading a missing document is not_found and names category and name") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const Error error = refused(wait(documents.read_json("session-1", "state")));
  CHECK(error.code() == Errc::not_found);
  CHECK(error.key() == "session-1/state");
  CHECK(error.message().find("session-1/state") != std::string::npos);
  wait(documents.save_json("session-1", "other", 1)).value();
  CHECK(refused(wait(documents.read_json("session-1", "state"))).code() == Errc::not_found);
}

TEST_CASE("M6 open returns an existing category, else not_found") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const Error error = refused(wait(documents.open("session-1")));
  CHECK(error.code() == Errc::not_found);
  CHECK(error.key() == "session-1");
  wait(documents.in("session-1").save_json("state", 1)).value();
  const DocumentCategory session = wait(documents.open("session-1")).value();
  CHECK(wait(session.read_json("state")).value().value == 1);
  CHECK(wait(session.list()).value() == std::vector<std::string>{"state"});
}

TEST_CASE("M4 operations of many coroutines on many threads lose nothing") {
  const Scratch scratch;
  const DocumentStore documents =
      open_documents(scratch.path(), DocumentStoreOptions().durability(Durability::process)).value();
  asio::thread_pool threads(4);
  for (int i = 0; i < 200; ++i) {
    asio::co_spawn(threads, documents.update_json("m", "d", DocumentEdit::set("k" + std::to_string(i), i)),
                   [](std::exception_ptr thrown, Result<JsonDocument> result) {
                     CHECK_FALSE(thrown);
                     CHECK(result.has_value());
                   });
  }
  threads.join();
  CHECK(wait(documents.read_json("m", "d")).value().value.as_object().size() == 200);
}
