// The backend of docs/writing-a-backend.md: passes the suite, and the page quotes it as it is.
#include "conformance/harnesses.hpp"
#include "conformance/tiny_harness.hpp"
#include "support/sound.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <map>

namespace sessile::conformance {
namespace {

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(SESSILE_SOURCE_DIR) + "/" + path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// The text between the lines that hold `begin` and `end`; empty when they aren't there.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t first = text.find(begin);
  if (first == std::string::npos) return std::string();
  const std::size_t start = text.find('\n', first) + 1;
  const std::size_t stop = text.rfind('\n', text.find(end, start)) + 1;
  return stop > start ? text.substr(start, stop - start) : std::string();
}

/// The regions of a source, by name: what is between the lines `// [name]` and `// [/name]`.
std::map<std::string, std::string> regions_of(const std::string& source) {
  std::map<std::string, std::string> regions;
  for (std::size_t at = 0; (at = source.find("// [", at)) != std::string::npos; ++at) {
    const std::size_t name_begin = at + 4;
    const std::string name = source.substr(name_begin, source.find(']', name_begin) - name_begin);
    if (name.front() != '/')
      regions[name] = between(source.substr(at), "// [" + name + "]", "// [/" + name + "]");
  }
  return regions;
}

}  // namespace

TEST_CASE("The tiny backend passes the conformance suite") {
  const Harness harness = tiny_harness();
  check_conformance(harness, {"the store does not claim idempotent_append", "the store reaches no further",
                              "the harness has no second_process hook"});
  testing::check_sound(*harness.open(OpenOptions()).value());
}

TEST_CASE("A registered scheme opens the tiny backend") {
  tiny::register_tiny().value();
  CHECK(open_store("tiny:").value()->capabilities().backend == "tiny");
  CHECK(open_store("tiny:?no_such=1").error().code() == Errc::invalid_argument);
}

TEST_CASE("docs/writing-a-backend.md quotes every region of its sources as it is") {
  const std::string page = read_source("docs/writing-a-backend.md");
  for (const char* path : {"examples/tiny_backend.hpp", "tests/conformance/tiny_harness.hpp"}) {
    const auto regions = regions_of(read_source(path));
    CHECK(!regions.empty());
    for (const auto& [name, text] : regions) {
      CHECK(!text.empty());
      const std::string code = between(page, "<!-- region: " + name + " -->", "<!-- end -->");
      CHECK_MESSAGE(code == "```cpp\n" + text + "```\n", name, " in ", path);
    }
  }
}

}  // namespace sessile::conformance
