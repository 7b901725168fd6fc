// A session's log of plain lines (H1 to H4).
#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/json.hpp>
#include <sessile/session_log.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

/// All logs in it are checked when the test is done.
class Place : public TemporaryDirectory {
 public:
  const SoundAtEnd sound{[this] { return verify_all(); }};

 private:
  Result<VerifyReport> verify_all() const {
    VerifyReport all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path())) {
      if (entry.path().extension() != ".jsonl" || entry.is_symlink() || !entry.is_regular_file()) continue;
      auto report = run(SessionLog(entry.path()).verify());
      if (!report) return report.error();
      all.add(std::move(*report));
    }
    return all;
  }
};

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void write(const std::filesystem::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary) << text;
}

unsigned mode_of(const std::filesystem::path& file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

LogOptions at(const std::shared_ptr<ManualClock>& clock) {
  return LogOptions().clock(clock);
}

std::string contents(const LoadedLog& log) {
  std::string text;
  for (const Message& turn : log.turns)
    text += turn.role + ":" + std::string(turn.content.is_string() ? turn.content.get_string() : "?") + " ";
  return text;
}

}  // namespace

TEST_CASE("H1 the first append makes the directory (0700), the file (0600) and the header") {
  Place place;
  const auto file = place.path() / "a" / "b" / "session.jsonl";
  SessionLog log(file, {{"model", "m"}}, at(std::make_shared<ManualClock>()));
  run(log.append(Message("user", "Hello"))).value();
  CHECK(bytes_of(file) ==
        "{\"meta\":{\"model\":\"m\"}}\n"
        "{\"role\":\"user\",\"content\":\"Hello\",\"timestamp\":\"2026-11-20T09:30:00.000000Z\"}\n");
  CHECK(mode_of(file) == 0600);
  CHECK(mode_of(place.path() / "a") == 0700);
  CHECK(mode_of(place.path() / "a" / "b") == 0700);
  CHECK(mode_of(place.path() / "a" / "b" / "session.jsonl.lock") == 0600);
}

TEST_CASE("H1 the header is written only when the file is new or empty") {
  Place place;
  const auto file = place.path() / "session.jsonl";
  write(file, "");
  SessionLog first(file, {{"run", 1}});
  run(first.start()).value();
  CHECK(bytes_of(file) == "{\"meta\":{\"run\":1}}\n");
  run(first.start()).value();
  SessionLog second(file, {{"run", 2}});
  run(second.append(Message("user", "again"))).value();
  const LoadedLog log = run(second.load()).value();
  CHECK(log.meta == json::object{{"run", 1}});
  CHECK(log.turns.size() == 1);
  CHECK(log.skipped.empty());
}

TEST_CASE("H2 a turn comes back as it was given, every field of it, one line a turn") {
  Place place;
  SessionLog log(place.path() / "session.jsonl");
  Message turn("assistant", json::array{json::object{{"type", "text"}, {"text", "a\nb\u2028\u00e9"}}});
  turn.set_timestamp(parse_time("2020-01-02T03:04:05Z").value());
  turn.set_extra({{"model", "m"}, {"usage", {{"tokens", 12}}}});
  run(log.append(turn)).value();
  run(log.append(Message("user", "next"))).value();
  const LoadedLog loaded = run(log.load()).value();
  REQUIRE(loaded.turns.size() == 2);
  CHECK(loaded.turns[0] == turn);
  CHECK(loaded.turns[1].timestamp.is_set());
  const std::string text = bytes_of(log.file());
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
}

TEST_CASE("H2 an append never glues to a torn line, loses no whole one and cuts none") {
  Place place;
  const auto whole = place.path() / "whole.jsonl";
  SessionLog source(whole, {{"n", 1}});
  for (const char* text : {"one", "two", "three"})
    run(source.append(Message("user", text))).value();
  const std::string bytes = bytes_of(whole);
  const std::size_t third = bytes.find("{\"role\":\"user\",\"content\":\"three\"");
  for (std::size_t cut = third; cut <= bytes.size(); ++cut) {
    CAPTURE(cut);
    const auto file = place.path() / "torn.jsonl";
    write(file, bytes.substr(0, cut));
    SessionLog log(file);
    run(log.append(Message("user", "next"))).value();
    CHECK(bytes_of(file).starts_with(bytes.substr(0, cut)));
    const LoadedLog loaded = run(log.load()).value();
    const bool torn = cut > third && cut < bytes.size() - 1;
    const bool three = cut >= bytes.size() - 1;
    CHECK(contents(loaded) ==
          (three ? "user:one user:two user:three user:next " : "user:one user:two user:next "));
    REQUIRE(loaded.skipped.size() == (torn ? 1 : 0));
    if (torn) {
      CHECK(loaded.skipped[0].offset == third);
      CHECK(loaded.skipped[0].bytes == cut - third);
      CHECK(loaded.skipped[0].line == 4);
      CHECK(loaded.skipped[0].reason == SkipReason::unreadable);
    }
  }
}

TEST_CASE("H2 appends of several threads and handles all land, whole") {
  Place place;
  const auto file = place.path() / "session.jsonl";
  for (const Durability durability : {Durability::process, Durability::power}) {
    std::filesystem::remove(file);
    std::atomic<int> failures{0};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.emplace_back([&, writer] {
        SessionLog log(file, {{"writer", writer}}, LogOptions().durability(durability));
        for (int i = 0; i < 25; ++i) {
          const std::string text = std::to_string(writer) + "/" + std::to_string(i);
          if (!run(log.append(Message("user", json::value(text))))) ++failures;
        }
      });
    }
    for (std::thread& writer : writers)
      writer.join();
    CHECK(failures == 0);
    const LoadedLog log = run(SessionLog(file).load()).value();
    CHECK(log.turns.size() == 100);
    CHECK(log.skipped.empty());
    int next[4] = {0, 0, 0, 0};
    for (const Message& turn : log.turns) {
      const std::string text(turn.content.get_string());
      const int writer = text[0] - '0';
      CHECK(text == std::to_string(writer) + "/" + std::to_string(next[writer]++));
    }
  }
}

TEST_CASE("H3 load skips what does not parse and says where, by line and byte") {
  Place place;
  const auto file = place.path() / "foreign.jsonl";
  const std::string nuls(7, '\0');
  const std::vector<std::string> lines = {
      "{\"meta\":{\"by\":\"another\"}}\r",
      "",
      "{\"role\":\"user\",\"content\":\"one\",\"ts\":1700000000}\r",
      "{\"role\":\"user\",\"content\":\"to",
      "  \t ",
      "[1,2,3]",
      "{\"type\":\"snapshot\"}",
      nuls,
      "{\"role\":\"user\",\"content\":\"\xff\"}",
      "{\"role\":7,\"content\":\"x\"}",
      "{\"meta\":{\"second\":true}}",
      "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"}{\"}]}",
  };
  std::string text;
  std::vector<std::uint64_t> offsets;
  for (const std::string& line : lines) {
    offsets.push_back(text.size());
    text += line + "\n";
  }
  text.pop_back();  // no newline at the end, as many programs leave it
  write(file, text);
  for (const FindingKind kind : {FindingKind::torn, FindingKind::corrupt})
    place.sound.expect(kind);

  const LoadedLog log = run(SessionLog(file).load()).value();
  CHECK(log.meta == json::object{{"by", "another"}});
  REQUIRE(log.turns.size() == 2);
  CHECK(log.turns[0].content == json::value("one"));
  CHECK(log.turns[0].extra.at("ts") == json::value(1700000000));
  CHECK(log.turns[1].role == "assistant");
  const std::vector<std::pair<std::size_t, SkipReason>> expected = {
      {3, SkipReason::unreadable}, {5, SkipReason::not_a_turn}, {6, SkipReason::not_a_turn},
      {7, SkipReason::unreadable}, {8, SkipReason::unreadable}, {9, SkipReason::not_a_turn},
      {10, SkipReason::not_a_turn}};
  REQUIRE(log.skipped.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t line = expected[i].first;
    CAPTURE(line);
    CHECK(log.skipped[i].line == line + 1);
    CHECK(log.skipped[i].offset == offsets[line]);
    CHECK(log.skipped[i].bytes == lines[line].size());
    CHECK(log.skipped[i].reason == expected[i].second);
  }
}

TEST_CASE("H3 objects glued on one line are all recovered; what is left of the line is reported") {
  Place place;
  const auto file = place.path() / "glued.jsonl";
  const std::string one = "{\"role\":\"user\",\"content\":\"a } \\\" { b\"}";
  const std::string two = "{\"role\":\"assistant\",\"content\":\"two\"}";
  const std::string three = "{\"role\":\"user\",\"content\":\"three\"}";
  write(file, one + two + " " + three + "\n" + one + "{oops}" + two + "{\"role\":\"us\n" + three + "\n");
  for (const FindingKind kind : {FindingKind::torn, FindingKind::corrupt})
    place.sound.expect(kind);
  const LoadedLog log = run(SessionLog(file).load()).value();
  CHECK(contents(log) ==
        "user:a } \" { b assistant:two user:three user:a } \" { b assistant:two user:three ");
  const std::uint64_t second_line = one.size() + two.size() + 1 + three.size() + 1;
  REQUIRE(log.skipped.size() == 2);
  CHECK(log.skipped[0].line == 2);
  CHECK(log.skipped[0].offset == second_line + one.size());
  CHECK(log.skipped[0].bytes == 6);
  CHECK(log.skipped[1].offset == second_line + one.size() + 6 + two.size());
  CHECK(log.skipped[1].bytes == 11);
}

TEST_CASE("H3 a missing log is not_found; a line or a log over its limit is too_large") {
  Place place;
  const Error missing = run(SessionLog(place.path() / "no.jsonl").load()).error();
  CHECK(missing.code() == Errc::not_found);
  CHECK(missing.path() == (place.path() / "no.jsonl").string());
  CHECK(run(SessionLog(place.path() / "no" / "no.jsonl").load()).error().code() == Errc::not_found);

  const auto file = place.path() / "large.jsonl";
  write(file, "{\"role\":\"user\",\"content\":\"" + std::string(500, 'x') +
                  "\"}\n{\"role\":\"user\",\"content\":\"small\"}\n");
  Limits limits;
  limits.message_bytes = 200;
  const LoadedLog log = run(SessionLog(file, {}, LogOptions().limits(limits)).load()).value();
  CHECK(contents(log) == "user:small ");
  REQUIRE(log.skipped.size() == 1);
  CHECK(log.skipped[0].reason == SkipReason::too_large);
  limits.session_bytes = 300;
  CHECK(run(SessionLog(file, {}, LogOptions().limits(limits)).load()).error().code() == Errc::too_large);
}

TEST_CASE("H2 a log takes no turn with which it could not be read") {
  Place place;
  const auto file = place.path() / "full.jsonl";
  Limits limits;
  limits.session_bytes = 2000;
  SessionLog log(file, {}, LogOptions().limits(limits).durability(Durability::process));
  std::size_t turns = 0;
  for (;; ++turns) {
    const std::string before = turns == 0 ? std::string() : bytes_of(file);
    const auto appended = run(log.append(Message("user", std::string(150, 'x'))));
    if (appended) continue;
    CHECK(appended.error().code() == Errc::too_large);
    CHECK(appended.error().path() == file.string());
    CHECK(bytes_of(file) == before);
    break;
  }
  CHECK(turns > 4);
  CHECK(run(log.load()).value().turns.size() == turns);
  CHECK(run(log.append(Message("user", "x"))).has_value());
}

TEST_CASE("H3 a log of many objects glued on one line is read in a reasonable time") {
  Place place;
  const auto file = place.path() / "long.jsonl";
  std::string text;
  constexpr std::size_t kTurns = 20000;
  for (std::size_t i = 0; i < kTurns; ++i)
    text += "{\"role\":\"user\",\"content\":\"" + std::to_string(i) + "\"}";
  write(file, text + "\n" + std::string(1 << 20, '{') + "\n");
  place.sound.expect(FindingKind::corrupt);
  const LoadedLog log = run(SessionLog(file).load()).value();
  CHECK(log.turns.size() == kTurns);
  CHECK(log.skipped.size() == 1);
}

TEST_CASE("H2 bad turns, options and paths are refused, and nothing is made") {
  Place place;
  const auto file = place.path() / "sub" / "session.jsonl";
  SessionLog log(file);
  CHECK(run(log.append(Message("user", "\xff"))).error().code() == Errc::invalid_argument);
  Limits limits;
  limits.message_bytes = 20;
  SessionLog small(file, {}, LogOptions().limits(limits));
  CHECK(run(small.append(Message("user", "more than twenty bytes"))).error().code() == Errc::too_large);
  SessionLog loose(file, {}, LogOptions().durability(Durability::none));
  CHECK(run(loose.append(Message("user", "x"))).error().code() == Errc::invalid_argument);
  SessionLog bad_meta(file, {{"text", "\xff"}});
  CHECK(run(bad_meta.append(Message("user", "x"))).error().code() == Errc::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(place.path() / "sub"));
  CHECK(run(SessionLog(place.path() / "..").append(Message("user", "x"))).error().code() ==
        Errc::invalid_argument);
  CHECK(run(SessionLog(place.path() / "").append(Message("user", "x"))).error().code() ==
        Errc::invalid_argument);
}

TEST_CASE("H2 a log that is a symbolic link is not followed") {
  Place place;
  write(place.path() / "target", "");
  std::filesystem::create_symlink("target", place.path() / "link.jsonl");
  CHECK(run(SessionLog(place.path() / "link.jsonl").append(Message("user", "x"))).has_error());
  CHECK(bytes_of(place.path() / "target").empty());
}

TEST_CASE("H4 the logs of a directory, sorted by name; a missing directory has none") {
  Place place;
  for (const char* name : {"b.jsonl", "a.jsonl", "C.jsonl", ".hidden.jsonl", "a.jsonl.lock", "notes.txt"})
    write(place.path() / name, "");
  std::filesystem::create_directory(place.path() / "dir.jsonl");
  std::filesystem::create_symlink("a.jsonl", place.path() / "link.jsonl");
  const auto logs = run(list_session_logs(place.path())).value();
  REQUIRE(logs.size() == 3);
  CHECK(logs[0] == place.path() / "C.jsonl");
  CHECK(logs[1] == place.path() / "a.jsonl");
  CHECK(logs[2] == place.path() / "b.jsonl");
  CHECK(run(list_session_logs(place.path() / "no")).value().empty());
}

TEST_CASE("H2 a log stays where it was when the program changes its directory") {
  Place place;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(place.path());
  SessionLog log("a.jsonl");
  run(log.append(Message("user", "one"))).value();
  std::filesystem::current_path("/");
  run(log.append(Message("user", "two"))).value();
  const auto loaded = run(log.load());
  std::filesystem::current_path(before);
  CHECK(loaded.value().turns.size() == 2);
  CHECK(log.file() == "a.jsonl");
  CHECK(run(SessionLog(place.path() / "a.jsonl").load()).value().turns.size() == 2);
}

TEST_CASE("H2 a log whose directory was moved goes on there, and one that was deleted begins anew") {
  Place place;
  SessionLog log(place.path() / "logs" / "a.jsonl");
  run(log.append(Message("user", "one"))).value();
  std::filesystem::rename(place.path() / "logs", place.path() / "old");
  run(log.append(Message("user", "two"))).value();
  CHECK(run(log.load()).value().turns.size() == 2);
  CHECK(run(log.verify()).value().checked == 1);
  CHECK_FALSE(std::filesystem::exists(place.path() / "logs"));
  std::filesystem::remove_all(place.path() / "old");
  CHECK(run(log.load()).error().code() == Errc::not_found);
  run(log.append(Message("user", "three"))).value();
  std::filesystem::remove_all(place.path() / "logs");
  run(log.append(Message("user", "four"))).value();
  CHECK(run(log.load()).value().turns.size() == 1);
}

TEST_CASE("H3 of very many lines that cannot be read the first are told one by one, and all are repaired") {
  Place place;
  const auto file = place.path() / "a.jsonl";
  std::string text = "{\"role\":\"user\",\"content\":\"kept\"}\n";
  for (int i = 0; i < 20'000; ++i)
    text += "x\n";
  write(file, text);
  SessionLog log(file);
  const LoadedLog loaded = run(log.load()).value();
  CHECK(loaded.turns.size() == 1);
  CHECK(loaded.skipped.size() == LoadedLog::kMostSkipped);
  CHECK(loaded.skipped_count == 20'000);
  const VerifyReport report = run(log.verify(VerifyOptions().repair())).value();
  REQUIRE(report.findings.size() == 1001);
  CHECK(report.findings.back().detail.starts_with("19000 more"));
  CHECK(report.sound());
  CHECK(bytes_of(report.findings.back().quarantine) == text);
  CHECK(bytes_of(file) == text.substr(0, text.find('\n') + 1));
}
