// Which names documents and categories may have.
#include "document_scratch.hpp"

#include <sessile/documents.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

using namespace sessile;
using namespace std::string_literals;
using Scratch = sessile::test::DocumentScratch;

namespace {

const std::vector<std::string> kBadNames = {"",
                                            ".",
                                            "..",
                                            "a/b",
                                            "../a",
                                            "a..b",
                                            "a\\b",
                                            "a\0b"s,
                                            "a\nb",
                                            "a\x1b[31m",
                                            "a\x7f",
                                            "a\xc2\x85",
                                            "\xff\xfe",
                                            ".hidden",
                                            ".lock",
                                            "/etc/hosts",
                                            std::string(181, 'n')};
const std::vector<std::string> kBadCategories = {"",
                                                 "/",
                                                 "/tmp",
                                                 "a/",
                                                 "/a",
                                                 "a//b",
                                                 "..",
                                                 "../a",
                                                 "a/..",
                                                 "a/../b",
                                                 ".",
                                                 "./a",
                                                 "a/.",
                                                 "a\\b",
                                                 "a\0b"s,
                                                 "a\rb",
                                                 "a/\x01",
                                                 "a/.hidden",
                                                 "a..b",
                                                 "\xc0\xaf",
                                                 std::string(181, 'c'),
                                                 "a/" + std::string(181, 'c')};

/// A category of legal parts, but too long altogether.
std::string long_category() {
  std::string category = "c";
  while (category.size() <= kMaxCategoryBytes)
    category += "/cccccccc";
  return category;
}

template <class T>
void check_refused(Result<T> result, const std::string& name) {
  INFO(name);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code() == Errc::invalid_argument);
}

void check_all_refused(const DocumentStore& documents, const std::string& category, const std::string& name) {
  using blocking::wait;
  const std::string shown = category + " : " + name;
  check_refused(wait(documents.save_json(category, name, 1)), shown);
  check_refused(wait(documents.save_markdown(category, name, "x")), shown);
  check_refused(wait(documents.load_json(category, name)), shown);
  check_refused(wait(documents.load_markdown(category, name)), shown);
  check_refused(wait(documents.read_json(category, name)), shown);
  check_refused(wait(documents.exists(category, name)), shown);
  check_refused(wait(documents.remove(category, name)), shown);
  check_refused(wait(documents.update_json(category, name, DocumentEdit::set("a", 1))), shown);
}

}  // namespace

TEST_CASE("O2 a document's name that could leave its category is refused before any file is touched") {
  const Scratch scratch;
  const auto base = scratch / "base";
  const DocumentStore documents = open_documents(base).value();
  for (const std::string& name : kBadNames)
    check_all_refused(documents, "notes", name);
  CHECK_FALSE(std::filesystem::exists(base));
  CHECK(scratch.names().empty());
}

TEST_CASE(
    "O2 a category that is empty, absolute, or could leave the root is refused before any file is touched") {
  const Scratch scratch;
  const auto base = scratch / "base";
  const DocumentStore documents = open_documents(base).value();
  auto categories = kBadCategories;
  categories.push_back(long_category());
  for (const std::string& category : categories) {
    check_all_refused(documents, category, "name");
    check_refused(blocking::wait(documents.exists(category)), category);
    check_refused(blocking::wait(documents.list(category)), category);
    check_refused(blocking::wait(documents.lock(category)), category);
    check_refused(blocking::wait(documents.open(category)), category);
    check_refused(blocking::wait(documents.prune(category)), category);
  }
  CHECK_FALSE(std::filesystem::exists(base));
  CHECK(scratch.names().empty());
}

TEST_CASE("O2 a category may be nested, and a name may hold dots, spaces and other letters") {
  const Scratch scratch;
  const DocumentStore documents = open_documents(scratch.path()).value();
  const std::vector<std::string> names = {
      "a.b", "a.lock", "x.json", "with space", "\xc3\xa4\xf0\x9f\x98\x80", std::string(180, 'n')};
  for (const std::string& name : names)
    blocking::wait(documents.save_json("agents/planner/2", name, json::value(name))).value();
  for (const std::string& name : names)
    CHECK(blocking::wait(documents.read_json("agents/planner/2", name)).value().value == json::value(name));
  CHECK(blocking::wait(documents.list("agents/planner/2")).value().size() == names.size());
  CHECK(std::filesystem::exists(scratch / "agents/planner/2/x.json.json"));
}

TEST_CASE("O2 a symbolic link planted as a category or a document leads nowhere") {
  const Scratch scratch;
  const Scratch outside;
  test::write(outside / "secret.json", "{\"a\":1}");
  std::filesystem::create_directory_symlink(outside.path(), scratch / "link");
  std::filesystem::create_directory(scratch / "real");
  std::filesystem::create_symlink(outside / "secret.json", scratch / "real/secret.json");
  const DocumentStore documents = open_documents(scratch.path()).value();

  CHECK_FALSE(blocking::wait(documents.load_json("link", "secret")).has_value());
  CHECK_FALSE(blocking::wait(documents.save_json("link", "new", 1)).has_value());
  CHECK_FALSE(blocking::wait(documents.load_json("real", "secret")).has_value());
  CHECK(blocking::wait(documents.list("real")).value().empty());
  // The link is replaced, not followed.
  CHECK(blocking::wait(documents.save_json("real", "secret", 2)).has_value());
  CHECK(test::read(outside / "secret.json") == "{\"a\":1}");
  CHECK(outside.names() == std::vector<std::string>{"secret.json"});
}
