#include <sessile/backend.hpp>

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace std::string_literals;

namespace {

using namespace sessile;

TEST_CASE("ids of letters, digits, dots, dashes and underscores are their own file names") {
  for (const char* id : {"a", "A-b_c.d", "5f1f9a", "a.json", "a.lock", "x..y", "-", "_"}) {
    CHECK(file_name(id) == id);
    CHECK(id_of_file_name(id) == id);
  }
}

TEST_CASE("all else is escaped byte by byte") {
  CHECK(file_name(".") == "%2E");
  CHECK(file_name("..") == "%2E.");
  CHECK(file_name(".hidden") == "%2Ehidden");
  CHECK(file_name("a/b") == "a%2Fb");
  CHECK(file_name("../../etc/passwd") == "%2E.%2F..%2Fetc%2Fpasswd");
  CHECK(file_name("100%") == "100%25");
  CHECK(file_name("%2E") == "%252E");
  CHECK(file_name("a b\n") == "a%20b%0A");
  CHECK(file_name("\U0001F680") == "%F0%9F%9A%80");
  CHECK(file_name("") == "%-");
  CHECK(id_of_file_name("%-") == ""s);
}

TEST_CASE("long ids get a prefix and a hash, at most 180 bytes, and no escape is cut") {
  CHECK(file_name(std::string(180, 'a')) == std::string(180, 'a'));
  for (std::size_t lead = 0; lead < 3; ++lead) {
    const std::string id = std::string(lead, 'a') + std::string(181 - lead, '/');
    const std::string name = file_name(id);
    CAPTURE(name);
    CHECK(name.size() <= 180);
    const std::size_t mark = name.find("%~");
    REQUIRE(mark != std::string::npos);
    CHECK(name.size() - mark == 66);
    CHECK((mark - lead) % 3 == 0);
    CHECK(!id_of_file_name(name));
  }
  const std::string one = std::string(199, 'a') + "b";
  const std::string other = std::string(199, 'a') + "c";
  CHECK(file_name(one) != file_name(other));
  CHECK(file_name(one).substr(0, 114) == std::string(114, 'a'));
}

TEST_CASE("what is not the name of an id is recognised") {
  for (const char* name :
       {"", ".", "..", ".a", "a/b", "a b", "%", "%2", "%2f", "%61", "%zz", "%~", "a%~b", "%-a", "\xC3\xA9"}) {
    CAPTURE(name);
    CHECK(!id_of_file_name(name));
  }
  CHECK(!id_of_file_name(std::string(181, 'a')));
}

TEST_CASE("one id has one name, two ids have two, and every name is one safe component") {
  std::mt19937 random(11);
  const std::string_view letters[] = {".", "/",  "%",          "a", "2", "E", "~",
                                      "-", "\\", "\U0001F680", "é", " ", "\n"};
  std::map<std::string, std::string> ids;
  for (int i = 0; i < 20000; ++i) {
    std::string id;
    const std::size_t length = i % 10 == 0 ? 40 + random() % 160 : 1 + random() % 6;
    while (id.size() < length)
      id += letters[random() % std::size(letters)];
    if (id.size() > kMaxIdBytes) continue;
    const std::string name = file_name(id);
    REQUIRE(is_plain_file_name(name));
    const auto [entry, inserted] = ids.emplace(name, id);
    REQUIRE(entry->second == id);
    if (const auto back = id_of_file_name(name)) {
      REQUIRE(*back == id);
    } else {
      REQUIRE(name.find("%~") != std::string::npos);
    }
  }
}

TEST_CASE("plain file names are one safe component") {
  for (const char* name : {"a", "a b", "été", "x.json", "a\\b", "%41"})
    CHECK(is_plain_file_name(name));
  for (const char* name : {"", ".", "..", ".a", "a/b", "/", "a\n", "\x7F"})
    CHECK(!is_plain_file_name(name));
  CHECK(!is_plain_file_name("a\0b"s));
  CHECK(is_plain_file_name(std::string(180, 'a')));
  CHECK(!is_plain_file_name(std::string(181, 'a')));
}

}  // namespace
