// `sessile copy`: a thousand sessions there and back, kill -9 in the middle, real transcripts.
#include "copy/varied_sessions.hpp"
#include "support/programs.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

class Ran {
 public:
  int code = -1;
  json::object out;
  std::string err;
};

class Place {
 public:
  std::string url(const std::string& scheme, const std::string& name) const {
    const std::string url = scheme + ":" + (directory.path() / name).string();
    stores.at(url);
    return url;
  }
  std::vector<std::string> words(const std::string& from, const std::string& to,
                                 std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {SESSILE_COMMAND, "--store", from, "--json", "copy", "--to", to};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Ran copy(const std::string& from, const std::string& to, std::vector<std::string> more = {}) const {
    const fs::path log = directory.path() / "log";
    fs::remove(log);
    const Ended ended = run_program(words(from, to, std::move(more)), log);
    Ran ran;
    ran.code = ended.code;
    std::ifstream in(log, std::ios::binary);
    ran.err = std::string(std::istreambuf_iterator<char>(in), {});
    if (!ended.out.empty()) ran.out = parse_json(ended.out, Origin::caller).value().as_object();
    return ran;
  }
  TemporaryDirectory directory;
  SoundStores stores;
};

std::vector<std::string> documents_at(const std::string& url) {
  return documents_of(open_store(url).value());
}

std::ptrdiff_t files_in(const fs::path& directory) {
  std::error_code absent;
  return std::distance(fs::directory_iterator(directory, absent), fs::directory_iterator());
}

}  // namespace

TEST_CASE("A thousand sessions are the same after file to jsondir to file") {
  const Place place;
  const std::string first = place.url("file", "first");
  fill(open_store(first).value(), 1000);
  const std::vector<std::string> expected = documents_at(first);
  REQUIRE(expected.size() == 1000);
  const std::string second = place.url("jsondir", "second") + "?durability=process";
  const std::string third = place.url("file", "third") + "?durability=process";
  for (const auto& [from, to] : {std::pair(first, second), std::pair(second, third)}) {
    const Ran ran = place.copy(from, to);
    CHECK(ran.code == 0);
    CHECK(ran.err.empty());
    CHECK(ran.out.at("copied") == 1000);
    CHECK(ran.out.at("verified") == 1000);
    CHECK(ran.out.at("sessions") == 1000);
  }
  CHECK(documents_at(third) == expected);
  const Ran again = place.copy(first, third);
  CHECK(again.out.at("unchanged") == 1000);
  CHECK(place.copy(first, third, {"--verify-only"}).out.at("verified") == 1000);
}

TEST_CASE("A copy killed in the middle is continued: nothing twice, nothing missing, changes taken over") {
  const Place place;
  const std::string from = place.url("file", "from");
  const std::string to = place.url("jsondir", "to");
  place.stores.at(to).allow(remains_of_the_dead());
  const StorePtr source = open_store(from).value();
  fill(source, 400);
  std::ptrdiff_t before = 0;
  for (int kills = 0; kills < 3; ++kills) {
    const pid_t copying = start_program(place.words(from, to), {});
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (files_in(place.directory.path() / "to/sessions") < before + 30 &&
           std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(1ms);
    CHECK(::kill(copying, SIGKILL) == 0);
    CHECK(wait_for_program(copying) == 128 + SIGKILL);
    before = files_in(place.directory.path() / "to/sessions");
  }
  REQUIRE(before < 400);
  const StorePtr target = open_store(to).value();
  const SessionSummary early = run(target->list(ListQuery().order(Order::id).limit(1))).value().items.at(0);
  run(source->append(early.id, Message("user", "written between the two"))).value();
  const Ran ran = place.copy(from, to);
  CHECK(ran.code == 0);
  CHECK(ran.out.at("recopied") == 1);
  CHECK(ran.out.at("copied").as_int64() >= 400 - before);
  CHECK(ran.out.at("copied").as_int64() < 400 - 30);
  CHECK(ran.out.at("copied").as_int64() + ran.out.at("unchanged").as_int64() == 399);
  CHECK(ran.out.at("verified") == 400);
  CHECK(documents_at(to) == documents_at(from));
}

TEST_CASE("A difference, a gap and a damaged session are named, and the exit code says so") {
  const Place place;
  const std::string from = place.url("file", "from");
  const std::string to = place.url("file", "to");
  const StorePtr source = open_store(from).value();
  fill(source, 12);
  REQUIRE(place.copy(from, to).code == 0);
  const fs::path file = place.directory.path() / "to/plain-6.json";
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  const std::size_t digit = text.find("turn 3 of 6");
  REQUIRE(digit != std::string::npos);
  text[digit + 5] = '4';
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--verify-only"}, std::vector<std::string>{}}) {
    const Ran differs = place.copy(from, to, more);
    CHECK(differs.code == 4);
    CHECK(differs.err.find("\"key\":\"plain-6\"") != std::string::npos);
    CHECK(differs.out.at("failed") == 1);
    CHECK(differs.out.at("verified") == 11);
  }
  fs::remove(file);
  CHECK(place.copy(from, to, {"--verify-only"}).code == 3);
  CHECK(place.copy(from, to).out.at("copied") == 1);

  std::ofstream(place.directory.path() / "from/plain-0.json", std::ios::trunc)
      << "{\"session_id\":\"plain-0\",";
  place.stores.at(from).expect(FindingKind::corrupt);
  const std::string other = place.url("jsondir", "other");
  const Ran damaged = place.copy(from, other);
  CHECK(damaged.code == 6);
  CHECK(damaged.err.find("plain-0") != std::string::npos);
  CHECK(damaged.out.at("copied") == 11);
  CHECK(damaged.out.at("failed") == 1);
  CHECK(place.copy(from, from).code == 2);
  CHECK(place.copy(from, "nonsense:").code == 2);
}

TEST_CASE("copy shows a bar on a terminal, and ends without one") {
  const Place place;
  const std::string from = place.url("file", "from");
  fill(open_store(from).value(), 30);
  const std::string line = std::string("'") + SESSILE_COMMAND + "' --store '" + from + "' copy --to '" +
                           place.url("file", "to") + "'";
  const Ended shown = run_program({"script", "-qec", line, "/dev/null"}, {});  // gives it a terminal
  CHECK(shown.code == 0);
  CHECK(shown.out.find("copying [") != std::string::npos);
  CHECK(shown.out.find("/30") != std::string::npos);
  CHECK(shown.out.find("verified 30 of 30") > shown.out.rfind("copying ["));
}

TEST_CASE("Real transcripts are the same after file to jsondir to file") {
  const fs::path transcripts = SESSILE_SHARED_DATA;
  if (!fs::exists(transcripts)) {
    MESSAGE("skipped: no transcripts in " << transcripts.string());
    return;
  }
  const Place place;
  const std::string first = place.url("file", "first") + "?durability=process";
  const Ended imported =
      run_program({SESSILE_COMMAND, "--store", first, "--json", "import", transcripts.string()}, {});
  const std::vector<std::string> expected = documents_at(first);
  MESSAGE(expected.size() << " sessions of real transcripts");
  REQUIRE(expected.size() > 20);
  CHECK_FALSE(imported.out.empty());
  const std::string second = place.url("jsondir", "second") + "?durability=process";
  const std::string third = place.url("file", "third") + "?durability=process";
  CHECK(place.copy(first, second).code == 0);
  CHECK(place.copy(second, third).code == 0);
  CHECK(documents_at(third) == expected);
}
