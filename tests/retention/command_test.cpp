// The command's prune, memory and log (O12, H3, H5 to H7).
#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

class Ran {
 public:
  int code = -1;
  std::string out;
  std::string err;
};

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class Fixture {
 public:
  Ran sessile(const std::string& arguments) const {
    const std::string at = "cd '" + place.path().string() + "' && '" SESSILE_COMMAND "' ";
    const int status = std::system((at + arguments + " > out 2> err < /dev/null").c_str());
    Ran ran;
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ran.out = bytes_of(place.path() / "out");
    ran.err = bytes_of(place.path() / "err");
    return ran;
  }

  /// Sessions "s0" (now) to "s4" (four days old).
  void fill() const {
    auto clock = std::make_shared<ManualClock>();
    OpenOptions options;
    options.clock(clock);
    const StorePtr store = open_store("jsondir:" + (place.path() / "store").string(), options).value();
    const auto now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    for (int day = 4; day >= 0; --day) {
      clock->set(now - day * 24h);
      run(create(store, Session("s" + std::to_string(day)))).value();
    }
    run(store->close()).value();
  }

  TemporaryDirectory place;
  SoundAtEnd sound{"jsondir:" + (place.path() / "store").string()};
};

json::value parsed(const std::string& text) {
  return parse_json(text, Origin::caller).value();
}

}  // namespace

TEST_CASE("O12 sessile prune removes by age and count, and its dry run says so before") {
  const Fixture fixture;
  fixture.fill();
  const std::string prune = "--store jsondir:store --json prune --ttl 72h --max 2";
  const Ran dry = fixture.sessile(prune + " --dry-run");
  CHECK(dry.code == 0);
  const json::value would = parsed(dry.out);
  REQUIRE(would.at("would_remove").as_array().size() == 3);
  CHECK(would.at("would_remove").at(0).at("id") == "s4");
  CHECK(would.at("would_remove").at(0).at("reason") == "expired");
  CHECK(would.at("would_remove").at(2).at("id") == "s2");
  CHECK(would.at("would_remove").at(2).at("reason") == "over_count");
  CHECK(would.at("kept") == 2);
  const Ran real = fixture.sessile(prune);
  CHECK(real.code == 0);
  CHECK(parsed(real.out).at("removed") == would.at("would_remove"));
  const Ran people = fixture.sessile("--store jsondir:store prune --ttl 1d --max 0");
  CHECK(people.out.starts_with("removed s1  "));
  CHECK(people.out.ends_with("1 removed, 1 kept\n"));
}

TEST_CASE("O12 sessile prune refuses an age without a unit, and removes nothing") {
  const Fixture fixture;
  fixture.fill();
  for (const char* ttl : {"7", "-1d", "d", "1.5d", "7 d", "1w", "99999999999999999999d", "0d0", "''"}) {
    CAPTURE(ttl);
    const Ran ran = fixture.sessile(std::string("--store jsondir:store prune --max 1 --ttl=") + ttl);
    CHECK(ran.code == 2);
  }
  CHECK(fixture.sessile("--store jsondir:store prune --ttl 0 --max 0").out == "0 removed, 5 kept\n");
}

TEST_CASE("H6 sessile memory adds, lists, forgets and compacts") {
  const Fixture fixture;
  const std::string memory = "memory --file m/memory.jsonl ";
  CHECK(fixture.sessile(memory + "add fact 'The harbour faces north.' --tag places --source s1").out ==
        "remembered 1\n");
  CHECK(fixture.sessile("--json " + memory + "add pref 'Short answers.'").code == 0);
  const Ran list = fixture.sessile("--json " + memory + "ls --tag places");
  const json::value item = parsed(list.out);
  CHECK(item.at("id") == 1);
  CHECK(item.at("kind") == "fact");
  CHECK(item.at("content") == "The harbour faces north.");
  CHECK(item.at("source") == "s1");
  CHECK(fixture.sessile(memory + "ls").out.starts_with("2  pref  "));
  CHECK(fixture.sessile(memory + "forget 1").out == "forgot 1\n");
  CHECK(fixture.sessile(memory + "forget 1").code == 3);
  CHECK(fixture.sessile(memory + "ls --kind fact").out.empty());
  CHECK(fixture.sessile(memory + "compact").code == 0);
  CHECK(fixture.sessile(memory + "add context 'Spring tide.'").out == "remembered 3\n");
  CHECK(fixture.sessile(memory + "add opinion 'x'").code == 2);
  CHECK(fixture.sessile(memory + "add fact ' '").code == 1);
  CHECK(fixture.sessile("memory ls").code == 2);
}

TEST_CASE("H5 sessile memory exits 5 while somebody has the memory open, and says who") {
  const Fixture fixture;
  MemoryLog memory = run(MemoryLog::open(fixture.place.path() / "memory.jsonl")).value();
  const Ran ran = fixture.sessile("--json memory --file memory.jsonl ls");
  CHECK(ran.code == 5);
  CHECK(ran.err.find(std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("H3 sessile log show prints the turns, and what was left out") {
  const Fixture fixture;
  std::ofstream(fixture.place.path() / "log.jsonl")
      << "{\"meta\":{\"model\":\"m\"}}\n{\"role\":\"user\",\"content\":\"Hello\"}\n{\"role\":\"us\n";
  const Ran people = fixture.sessile("log show log.jsonl");
  CHECK(people.code == 0);
  CHECK(people.out.find("Hello") != std::string::npos);
  CHECK(people.err.find("line 3, byte 57, 11 bytes: unreadable") != std::string::npos);
  const Ran machines = fixture.sessile("--json log show log.jsonl");
  CHECK(machines.out.find("{\"meta\":{\"model\":\"m\"}}\n") == 0);
  CHECK(
      machines.out.find("{\"skipped\":{\"line\":3,\"offset\":57,\"bytes\":11,\"reason\":\"unreadable\"}}") !=
      std::string::npos);
  CHECK(fixture.sessile("log show missing.jsonl").code == 3);
}
