// Changes to a JSON document.
#include "document_scratch.hpp"

#include <sessile/documents.hpp>
#include <sessile/json.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

using namespace sessile;
using blocking::wait;
using Scratch = sessile::test::DocumentScratch;

namespace {

json::value parsed(std::string_view text) {
  return parse_json(text, Origin::caller).value();
}

std::string text_of(const json::value& value) {
  std::string text;
  write_json(text, value);
  return text;
}

/// What `edit` makes of `before`, as text; "refused" when it is.
std::string edited(std::string_view before, const DocumentEdit& edit) {
  json::value document = parsed(before);
  const auto applied = edit.apply(document);
  if (applied) return text_of(document);
  CHECK(applied.error().code() == Errc::invalid_argument);
  return "refused";
}

}  // namespace

TEST_CASE("M5 a dotted path sets a field and creates the objects on the way") {
  CHECK(edited("{}", DocumentEdit::set("workflow.step", "done")) == R"({"workflow":{"step":"done"}})");
  CHECK(edited(R"({"z":1,"a":{"b":2},"c":3})", DocumentEdit::set("a.b", 4)) ==
        R"({"z":1,"a":{"b":4},"c":3})");
  CHECK(edited(R"({"a":1})", DocumentEdit::set("a", nullptr)) == R"({"a":null})");
}

TEST_CASE("M5 a dotted path through something that is not an object is refused") {
  for (const char* before : {R"({"a":1})", R"({"a":[{"b":1}]})", R"({"a":null})", R"({"a":"x"})", "[]", "1"})
    CHECK(edited(before, DocumentEdit::set("a.b.c", 1)) == "refused");
  for (const char* path : {"", ".", "a.", ".a", "a..b"})
    CHECK(edited("{}", DocumentEdit::set(path, 1)) == "refused");
  std::string endless = "a";
  for (int i = 0; i < 100'000; ++i)
    endless += ".a";
  CHECK(edited("{}", DocumentEdit::set(endless, 1)) == "refused");
}

TEST_CASE("M5 erasing keeps the order of the other fields, and needs what it erases") {
  CHECK(edited(R"({"a":1,"b":2,"c":3,"d":4})", DocumentEdit::erase("b")) == R"({"a":1,"c":3,"d":4})");
  CHECK(edited(R"({"a":{"x":1,"y":2,"z":3}})", DocumentEdit::erase_pointer("/a/x")) ==
        R"({"a":{"y":2,"z":3}})");
  CHECK(edited("[1,2,3]", DocumentEdit::erase_pointer("/1")) == "[1,3]");
  CHECK(edited(R"({"a":1})", DocumentEdit::erase("b")) == "refused");
  CHECK(edited(R"({"a":1})", DocumentEdit::erase("b.c")) == "refused");
  CHECK(edited("[1]", DocumentEdit::erase_pointer("/1")) == "refused");
  CHECK(edited("[1]", DocumentEdit::erase_pointer("/-")) == "refused");
  CHECK(edited("[1]", DocumentEdit::erase_pointer("")) == "refused");
}

TEST_CASE("M5 a pointer is read as RFC 6901 says") {
  const char* const document = R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3," ":7,"m~n":8})";
  const auto set = [&](const char* pointer) {
    return edited(document, DocumentEdit::set_pointer(pointer, "X"));
  };
  CHECK(set("") == R"("X")");
  CHECK(set("/foo") == R"({"foo":"X","":0,"a/b":1,"c%d":2,"e^f":3," ":7,"m~n":8})");
  CHECK(set("/foo/0") == R"({"foo":["X","baz"],"":0,"a/b":1,"c%d":2,"e^f":3," ":7,"m~n":8})");
  CHECK(set("/foo/-") == R"({"foo":["bar","baz","X"],"":0,"a/b":1,"c%d":2,"e^f":3," ":7,"m~n":8})");
  CHECK(set("/foo/2") == set("/foo/-"));
  CHECK(set("/") == R"({"foo":["bar","baz"],"":"X","a/b":1,"c%d":2,"e^f":3," ":7,"m~n":8})");
  CHECK(set("/a~1b") == R"({"foo":["bar","baz"],"":0,"a/b":"X","c%d":2,"e^f":3," ":7,"m~n":8})");
  CHECK(set("/m~0n") == R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3," ":7,"m~n":"X"})");
  CHECK(set("/new/sub") ==
        R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3," ":7,"m~n":8,"new":{"sub":"X"}})");
  CHECK(edited("{}", DocumentEdit::set_pointer("/~01", 1)) == R"({"~1":1})");
}

TEST_CASE("M5 a pointer to nothing where one is needed, and a malformed one, is refused") {
  for (const char* pointer : {"a", "/a~", "/a~2", "/foo/3", "/foo/01", "/foo/-1", "/foo/x", "/foo/0/y",
                              "/foo/-/y", "/foo/18446744073709551616", "/n/x"})
    CHECK_MESSAGE(edited(R"({"foo":[0,1],"n":null})", DocumentEdit::set_pointer(pointer, 1)) == "refused",
                  pointer);
}

TEST_CASE("M5 a merge patch does what the examples of RFC 7396 say") {
  const char* const cases[][3] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", R"(null)", R"(null)"},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
      {R"({"x":1,"y":2,"z":3})", R"({"x":null})", R"({"y":2,"z":3})"},
  };
  for (const auto& [before, patch, after] : cases)
    CHECK_MESSAGE(edited(before, DocumentEdit::merge(parsed(patch))) == after, patch);
}

TEST_CASE("M5 several edits are applied under one lock, in order, and the whole document is returned") {
  const Scratch scratch;
  const DocumentStore documents = open_documents(scratch.path()).value();
  wait(documents.save_json("s", "state", {{"keep", 1}, {"list", {1, 2}}})).value();
  DocumentEdits edits;
  edits.push_back(DocumentEdit::set("workflow.step", "done"));
  edits.push_back(DocumentEdit::set_pointer("/list/-", 3));
  edits.push_back(DocumentEdit::merge({{"owner", {{"name", "me"}}}}));
  edits.push_back(DocumentEdit::change([](json::value& document) { document.as_object()["n"] = 1; }));
  const auto updated = wait(documents.update_json("s", "state", edits)).value();
  CHECK(text_of(updated.value) ==
        R"({"keep":1,"list":[1,2,3],"workflow":{"step":"done"},"owner":{"name":"me"},"n":1})");
  const auto stored = wait(documents.read_json("s", "state")).value();
  CHECK(text_of(stored.value) == text_of(updated.value));
  CHECK(stored.revision == updated.revision);
}

TEST_CASE("M5 when one edit fails nothing is changed") {
  const Scratch scratch;
  const DocumentStore documents = open_documents(scratch.path()).value();
  wait(documents.save_json("s", "state", {{"a", 1}})).value();
  const std::string before = test::read(scratch / "s/state.json");
  const auto failing = std::vector<DocumentEdit>{
      DocumentEdit::set("a.b", 1),
      DocumentEdit::erase("none"),
      DocumentEdit::set_pointer("/x/y~", 1),
      DocumentEdit::change([](json::value&) { throw std::runtime_error("no"); }),
      DocumentEdit::change([](json::value&) -> Result<void> { return Error(Errc::invalid_argument, "no"); }),
      DocumentEdit::change(
          [](json::value& document) { document = std::numeric_limits<double>::quiet_NaN(); })};
  for (const DocumentEdit& edit : failing) {
    const auto updated = wait(documents.update_json("s", "state", {DocumentEdit::set("new", 1), edit}));
    REQUIRE_FALSE(updated.has_value());
    CHECK(updated.error().code() == Errc::invalid_argument);
    CHECK(updated.error().key() == "s/state");
    CHECK(test::read(scratch / "s/state.json") == before);
  }
  CHECK(Scratch::names(scratch / "s") == std::vector<std::string>{".lock", ".lock.holder", "state.json"});
}

TEST_CASE("M5 an update creates a missing document, or refuses it when asked to") {
  const Scratch scratch;
  const DocumentStore documents = open_documents(scratch.path()).value();
  const auto edit = DocumentEdit::set("a.b", 1);
  const auto refuse = DocumentUpdateOptions().missing(MissingDocument::refuse);
  const auto missing = wait(documents.update_json("s", "state", edit, refuse));
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code() == Errc::not_found);
  CHECK(scratch.names().empty());
  CHECK(text_of(wait(documents.update_json("s", "state", edit)).value().value) == R"({"a":{"b":1}})");
  CHECK(wait(documents.update_json("s", "state", edit, refuse)).has_value());
}

TEST_CASE("M5 an update that changes nothing writes nothing, and one that reorders does") {
  const Scratch scratch;
  const DocumentStore documents = open_documents(scratch.path()).value();
  std::filesystem::create_directory(scratch / "s");
  test::write(scratch / "s/state.json", "{\"a\":1,\n\"b\":2}");
  const auto same = wait(documents.update_json("s", "state", DocumentEdit::set("a", 1))).value();
  CHECK(same.value.at("b") == 2);
  CHECK(test::read(scratch / "s/state.json") == "{\"a\":1,\n\"b\":2}");
  DocumentEdits reorder = {DocumentEdit::erase("a"), DocumentEdit::set("a", 1)};
  wait(documents.update_json("s", "state", reorder)).value();
  CHECK(test::read(scratch / "s/state.json") == "{\n  \"b\": 2,\n  \"a\": 1\n}\n");
}
