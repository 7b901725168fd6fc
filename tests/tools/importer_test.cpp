#include "tools/transcripts.hpp"

#include <sys/stat.h>

using namespace sessile;
using namespace sessile::importing;

namespace {

constexpr const char* kGlued = "0c9e8d7f-1a2b-4c3d-9e4f-5a6b7c8d9e0f.jsonl";
constexpr const char* kTides = "6f1d2c3a-4b5e-4f60-8a71-92b3c4d5e6f7.jsonl";
constexpr const char* kApples = "rollout-2026-04-11T19-00-00-019a0b1c-2d3e-7f40-8152-637485960718.jsonl";
constexpr const char* kKiln = "rollout-2026-04-11T19-00-00-019a0b1c-9999-7abc-8def-0123456789ab.jsonl";

const std::string kLine =
    R"({"type":"user","sessionId":"s","timestamp":"2026-01-01T00:00:00Z","message":{"role":"user","content":"hi"}})";

std::string text_of(const json::value& value) {
  return std::string(value.as_string());
}

}  // namespace

TEST_CASE("A Claude Code transcript becomes one session with its messages in order") {
  const Imported file(kSamples / kTides);
  const Session& session = file.only();
  CHECK(file.report.format == Format::claude_code);
  CHECK(session.id.str() == "6f1d2c3a-4b5e-4f60-8a71-92b3c4d5e6f7");
  CHECK(session.agent_id.str() == "claude-code");
  CHECK(session.project_id.empty());
  CHECK(session.title == "The tide table and the leap day");
  REQUIRE(session.messages.size() == 6);
  CHECK(session.messages[0].role == "user");
  CHECK(text_of(session.messages[0].content) == "Why does the tide table skip 29 February?");
  CHECK(session.messages[1].content.at(0).at("type") == "thinking");
  CHECK(session.messages[2].content.at(1).at("name") == "Read");
  CHECK(session.messages[2].timestamp.text() == "2026-03-02T08:03:00.120000Z");
  CHECK(session.created_at.text() == "2026-03-02T08:01:00.120000Z");
  CHECK(session.updated_at.text() == "2026-03-02T08:06:00.120000Z");
  CHECK(session.metadata.at("cwd") == "/home/ada/harbour");
  CHECK(session.metadata.at("gitBranch") == "tide-tables");
  CHECK(session.metadata.at("model") == "claude-opus-4");
}

TEST_CASE("A Codex rollout becomes one session, and what events repeat is imported once") {
  const Imported file(kSamples / kApples);
  const Session& session = file.only();
  CHECK(file.report.format == Format::codex);
  CHECK(session.id.str() == "019a0b1c-2d3e-7f40-8152-637485960718");
  CHECK(session.agent_id.str() == "codex");
  REQUIRE(session.messages.size() == 8);
  CHECK(session.messages[1].content.at(0).at("text").as_string().starts_with("How many apple"));
  CHECK(session.messages[2].role == "assistant");
  CHECK(session.messages[3].content.at(0).at("name") == "shell");
  CHECK(session.messages[4].role == "tool");
  CHECK(session.messages[7].role == "assistant");
  CHECK(session.metadata.at("cwd") == "/srv/orchard");
  CHECK(session.metadata.at("gitBranch") == "main");
  CHECK(session.metadata.at("model") == "gpt-5-codex");
}

TEST_CASE("Every record of a transcript can be rebuilt from its session") {
  for (const char* name : {kGlued, kTides, kApples, kKiln}) {
    CAPTURE(name);
    const Imported file(kSamples / name);
    const std::vector<json::value> expected = independent_parse(read_file(kSamples / name));
    CHECK(file.report.records == expected.size());
    CHECK(original_records(file.only()) == expected);
    // And from its document, which is what an export holds.
    const Session read = decode_session(encode_session(file.only()), Origin::stored).value();
    CHECK(original_records(read) == expected);
    CHECK(read.same_content(file.only()));
  }
}

TEST_CASE("H3 two records glued on one line are both recovered") {
  const Imported file(kSamples / kGlued);
  CHECK(file.only().messages.size() == 6);
  CHECK(file.report.skipped_count == 0);
  CHECK(file.only().title == "rates.csv: the \\r");  // the last line, which no newline ends
}

TEST_CASE("A record that a later version added is kept, and a torn last line reported") {
  const Imported file(kSamples / kKiln);
  CHECK(file.only().messages.size() == 95);
  CHECK(file.only().title == "Kiln peaks");
  CHECK(file.only().metadata.at("model") == "gpt-5.1-codex");
  REQUIRE(file.report.skipped.size() == 1);
  CHECK(file.report.skipped[0].line == 172);
  CHECK(file.report.skipped[0].reason.find("line 1") == std::string::npos);
}

TEST_CASE("P13 a document of the reference library imports") {
  const Imported file(kSamples / "reference-greenhouse-7.json");
  const Session& session = file.only();
  CHECK(file.report.format == Format::reference);
  CHECK(session.id.str() == "greenhouse-7");
  CHECK(session.parent_id.str() == "greenhouse-1");
  CHECK(session.messages.size() == 4);
  CHECK(session.updated_at.text() == "2026-05-03T06:22:41.500000Z");
  CHECK(session.extra.at("loops").as_array().size() == 2);
  CHECK(text_of(session.metadata.at("import").at("sha256")) == file.report.sha256);
}

TEST_CASE("O6 a document of the agent operating system imports, its two lists made one") {
  const Imported file(kSamples / "agent-os-lighthouse-3.json");
  const Session& session = file.only();
  CHECK(file.report.format == Format::agent_os);
  CHECK(session.user_id == "keeper");
  REQUIRE(session.messages.size() == 4);
  CHECK(session.messages[1].role == "assistant");
  CHECK(session.messages[1].trajectory == TrajectoryRange(0, 1));
  CHECK(session.trajectory.size() == 2);
  CHECK(title_of(session) == "Lamp service");
}

TEST_CASE("What we exported of another program's document is ours, with all that had no place in it") {
  const Folder folder;
  Session first =
      decode_session(R"({"id":"a","user_messages":[{"content":"x","role":"admin"}]})", Origin::caller)
          .value();
  REQUIRE(first.extra.contains("user_messages"));
  first.updated_at = parse_time("2026-02-02T00:00:00Z").value();
  Session second("b");
  second.updated_at = first.updated_at;
  const Imported file(folder.write("e.jsonl", encode_session(first) + "\n" + encode_session(second) + "\n"));
  CHECK(file.report.format == Format::sessile);
  REQUIRE(file.sessions.size() == 2);
  CHECK(encode_session(file.sessions[0]) == encode_session(first));
  CHECK(encode_session(file.sessions[1]) == encode_session(second));
}

TEST_CASE("Our own exported lines import as several sessions, unchanged") {
  const Folder folder;
  Session one("one");
  one.add_message("user", "first").updated_at = parse_time("2026-02-02T00:00:00Z").value();
  Session two("two");
  two.add_message("user", "second").updated_at = one.updated_at;
  const Imported file(
      folder.write("e.jsonl", encode_session(one) + "\n" + encode_session(two) + "\n{\"no\":1}\n"));
  CHECK(file.report.format == Format::sessile);
  REQUIRE(file.sessions.size() == 2);
  CHECK(file.sessions[0].same_content(one));
  CHECK(file.sessions[1].same_content(two));
  REQUIRE(file.report.skipped.size() == 1);
  CHECK(file.report.skipped[0].line == 3);
}

TEST_CASE("Of two documents of one session in a file the later is taken, and the other reported") {
  const Folder folder;
  const std::string one = R"({"session_id":"a","loops":[{"messages":[{"role":"user","content":"1"}]}]})";
  const std::string two =
      R"({"session_id":"a","loops":[{"messages":[{"role":"user","content":"1"},{"role":"user","content":"2"}]}]})";
  const std::string other = R"({"session_id":"b","loops":[]})";
  const Imported file(folder.write("x.jsonl", one + "\n" + other + "\n" + two + "\n"));
  REQUIRE(file.sessions.size() == 2);
  CHECK(file.report.sessions == 2);
  CHECK(file.sessions[0].id == SessionId("a"));
  CHECK(file.sessions[0].messages.size() == 2);
  REQUIRE(file.report.skipped.size() == 1);
  CHECK(file.report.skipped[0].line == 1);
}

TEST_CASE("A document that is torn is corrupt, and not of an unknown format") {
  const Folder folder;
  const Imported torn(folder.write("x.json", "{\n \"session_id\": \"a\",\n \"loops\": [\n"));
  CHECK(torn.error.code() == Errc::corrupt);
  CHECK(torn.error.detail().find("line 4") != std::string::npos);
  CHECK(Imported(folder.write("y.json", "{\n \"name\": \"a\",\n")).error.code() == Errc::unsupported);
}

TEST_CASE("A document without times has its file's, and so has one of the last year there is") {
  const Folder folder;
  for (const char* time : {"null", "\"9999-12-31T23:59:59.999999Z\""}) {
    const std::string text = std::string(R"({"session_id":"a","loops":[],"last_active_at":)") + time + "}";
    const Session session = Imported(folder.write("x.json", text)).only();
    CHECK(session.updated_at.time() > *parse_time("2026-01-01T00:00:00Z"));
    CHECK(session.updated_at.time() < *parse_time("9999-01-01T00:00:00Z"));
    CHECK(session.metadata.at("import").at("updated_at") == json::value(session.updated_at.text()));
  }
}

TEST_CASE("A path that is not UTF-8 is told from others") {
  const Folder folder;
  const auto source = [](const Imported& file) {
    return text_of(file.only().metadata.at("import").at("source"));
  };
  const std::string one = source(Imported(folder.write("a\xE9%.jsonl", kLine)));
  CHECK(one.ends_with("a%E9%25.jsonl"));
  CHECK(one != source(Imported(folder.write("b\xE9.jsonl", kLine))));
}

TEST_CASE("More records than a session can hold are refused before they are held") {
  const Folder folder;
  Limits small;
  small.session_bytes = 32 * 100;
  std::string text = kLine + "\n";
  for (int i = 0; i < 1000; ++i)
    text += "{}\n";
  const Imported file(folder.write("x.jsonl", text), Format::automatic, ImportLimits(small));
  CHECK(file.error.code() == Errc::too_large);
  CHECK(file.error.path().ends_with("x.jsonl"));
}

TEST_CASE("Damaged lines are reported by number and keep nothing else from being read") {
  const Folder folder;
  const std::string good = kLine + "\n";
  const Imported file(folder.write("x.jsonl", "\xEF\xBB\xBF" + good + "\n  \r\n{\"type\":\"user\"\n" + good +
                                                  std::string(7, '\0') +
                                                  "\n42\n\"text\"\n{\"a\":\"\xFF\"}\n" + kLine + kLine +
                                                  "{\"ty\n" + kLine + "\r\n{\"torn"));
  const Session& session = file.only();
  CHECK(session.messages.size() == 5);
  std::vector<std::uint64_t> lines;
  for (const Skipped& skipped : file.report.skipped)
    lines.push_back(skipped.line);
  CHECK(lines == std::vector<std::uint64_t>{4, 6, 7, 8, 9, 10, 12});
  CHECK(file.report.records == 7);  // 42 and "text" are kept
  CHECK(original_records(session).size() == 7);
  CHECK(original_records(session)[2] == 42);
  CHECK(session.metadata.at("import").at("skipped") == 7);
}

TEST_CASE("A damaged first line does not hide what follows") {
  const Folder folder;
  const Imported file(folder.write("x.jsonl", "{\"type\":\"us\n" + kLine + "\n"));
  CHECK(file.only().messages.size() == 1);
  REQUIRE(file.report.skipped.size() == 1);
  CHECK(file.report.skipped[0].line == 1);
}

TEST_CASE("A line or a file over the limit is refused by itself") {
  const Folder folder;
  Limits small;
  small.message_bytes = 1000;
  const std::string big = R"({"type":"user","sessionId":"s","message":{"role":"user","content":")" +
                          std::string(2000, 'x') + "\"}}";
  const auto path = folder.write("x.jsonl", kLine + "\n" + big + "\n" + kLine + "\n");
  const Imported file(path, Format::automatic, ImportLimits(small));
  CHECK(file.only().messages.size() == 2);
  REQUIRE(file.report.skipped.size() == 1);
  CHECK(file.report.skipped[0].line == 2);
  small.session_bytes = 500;
  CHECK(Imported(path, Format::claude_code, ImportLimits(small)).error.code() == Errc::too_large);
}

TEST_CASE("A record nested too deep is skipped, and the rest fits a session") {
  const Folder folder;
  const auto nested = [](std::size_t depth) {
    return R"({"type":"user","sessionId":"s","message":{"role":"user","content":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}\n";
  };
  const Imported file(folder.write("x.jsonl", kLine + "\n" + nested(4000) + nested(110)));
  CHECK(file.report.skipped_count == 1);
  CHECK(measure(file.only(), Limits()).has_value());
}

TEST_CASE("What is no transcript is refused, and says why") {
  const Folder folder;
  const std::vector<std::pair<std::string, std::string>> contents = {
      {"empty", ""},
      {"blank", "\n \n"},
      {"nul", std::string(8192, '\0')},
      {"other.json", R"({"kind":"increments","steps":[]})"},
      {"other.jsonl", "{\"a\":1}\n{\"b\":2}\n"},
      {"text", "hello\n"},
      {"hermes.json", R"({"session_id":"h","model":"m","messages":[{"role":"user","content":"x"}]})"}};
  for (const auto& [name, content] : contents) {
    CAPTURE(name);
    const Imported file(folder.write(name, content));
    CHECK(file.sessions.empty());
    CHECK(file.error.code() == Errc::unsupported);
    CHECK_FALSE(file.error.detail().empty());
  }
  CHECK(Imported(folder.write("y.jsonl", kLine), Format::codex).error.code() == Errc::unsupported);
  CHECK(Imported(folder.path() / "absent").error.code() == Errc::io);
}

TEST_CASE("The session's id comes from the file name when that is a UUID, else from the records") {
  const Folder folder;
  CHECK(Imported(folder.write("notes.jsonl", kLine)).only().id.str() == "s");
  const std::string uuid = "11111111-2222-4333-8444-555555555555";
  CHECK(Imported(folder.write(uuid + ".jsonl", kLine)).only().id.str() == uuid);
  const Imported subagent(folder.write("agent-7f.jsonl", kLine));
  CHECK(subagent.only().id.str() == "agent-7f");
  CHECK(subagent.only().parent_id.str() == "s");
}

TEST_CASE("A walk finds transcripts below a folder, and follows no symbolic link") {
  const Folder folder;
  std::filesystem::create_directories(folder.path() / "a/b");
  folder.write("a/b/x.jsonl", kLine);
  folder.write("a/y.json", "{}");
  folder.write("a/z.txt", "no");
  std::filesystem::create_symlink(folder.path() / "a/b/x.jsonl", folder.path() / "link.jsonl");
  std::filesystem::create_directory_symlink(folder.path() / "a", folder.path() / "loop");
  std::vector<Unvisited> unvisited;
  const auto files = transcript_files(folder.path(), unvisited).value();
  REQUIRE(files.size() == 2);
  CHECK(files[0].path().filename() == "x.jsonl");
  CHECK(files[1].path().filename() == "y.json");
  CHECK(unvisited.size() == 2);
}

TEST_CASE("A directory that became a symbolic link after the walk leads to no file elsewhere") {
  namespace fs = std::filesystem;
  const std::string elsewhere = R"({"type":"user","sessionId":"e","message":{"role":"user","content":"no"}})";
  // The directory that was named itself, one on the way, and the one that holds the file.
  for (const std::string swapped : {"root", "root/a", "root/a/b"}) {
    CAPTURE(swapped);
    const Folder folder;
    fs::create_directories(folder.path() / "root/a/b");
    folder.write("root/a/b/x.jsonl", kLine);
    fs::create_directories(folder.path() / "outside/root/a/b");
    folder.write("outside/root/a/b/x.jsonl", elsewhere);
    std::vector<Unvisited> unvisited;
    const auto files = transcript_files(folder.path() / "root", unvisited).value();
    REQUIRE(files.size() == 1);
    CHECK(Imported(files[0]).only().id.str() == "s");
    fs::rename(folder.path() / swapped, folder.path() / "moved");
    fs::create_directory_symlink(folder.path() / "outside" / swapped, folder.path() / swapped);
    const Imported file(files[0]);
    CHECK(file.sessions.empty());
    CHECK(file.error.code() == Errc::io);
    CHECK(file.error.path() == files[0].path().string());
  }
}

TEST_CASE("The directory that is named may be reached through a symbolic link") {
  const Folder folder;
  std::filesystem::create_directories(folder.path() / "real/a");
  folder.write("real/a/x.jsonl", kLine);
  std::filesystem::create_directory_symlink(folder.path() / "real", folder.path() / "way");
  std::vector<Unvisited> unvisited;
  const auto files = transcript_files(folder.path() / "way", unvisited).value();
  REQUIRE(files.size() == 1);
  CHECK(Imported(files[0]).only().id.str() == "s");
  CHECK(unvisited.empty());
}

TEST_CASE("A FIFO among the transcripts holds nobody up") {
  const Folder folder;
  const std::filesystem::path fifo = folder.path() / "x.jsonl";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(Imported(fifo).error.code() == Errc::io);
}
