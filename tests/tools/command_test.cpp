#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/blocking.hpp>
#include <sessile/ids.hpp>
#include <sessile/json.hpp>
#include <sessile/memory_log.hpp>
#include <sessile/open.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace sessile;

namespace {

namespace fs = std::filesystem;

class Ran {
 public:
  int code = -1;
  std::string out;
  std::string err;
};

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

json::value parsed(const std::string& text) {
  return parse_json(text, Origin::caller).value();
}

std::string text_at(const json::value& value, const char* key) {
  return std::string(value.at(key).as_string());
}

std::string message_line(const std::string& content) {
  return "{\"role\":\"user\",\"content\":\"" + content + "\"}\n";
}

// A store of a kind that outlives a process; its scheme is empty when this build has none.
class Place {
 public:
  Place() {
    const std::vector<std::string> schemes = registered_schemes();
    for (const std::string scheme : {"jsondir", "file"}) {
      if (std::find(schemes.begin(), schemes.end(), scheme) != schemes.end()) scheme_ = scheme;
    }
  }

  bool is_missing() const {
    if (scheme_.empty()) MESSAGE("skipped: no backend of this build outlives a process");
    return scheme_.empty();
  }
  std::string url(const std::string& name = "store") const {
    const std::string url = scheme_ + ':' + (path() / name).string();
    stores_.at(url);
    return url;
  }
  const fs::path& path() const noexcept { return directory_.path(); }
  /// url(), damaged by the test on purpose.
  void expect(FindingKind kind) const { stores_.at(url()).expect(kind); }

  /// Runs the command in a shell, with `input` on stdin.
  Ran run(const std::string& arguments, const std::string& input = "") const {
    std::ofstream(path() / "in", std::ios::binary) << input;
    return run_redirected(arguments, " < " + quoted("in") + " > " + quoted("out"));
  }
  Ran run_redirected(const std::string& arguments, const std::string& redirections) const {
    const std::string line =
        std::string("'") + SESSILE_COMMAND + "' " + arguments + redirections + " 2> " + quoted("err");
    const int status = std::system(("bash -c \"set -o pipefail; " + line + "\"").c_str());
    Ran ran;
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ran.out = read_file(path() / "out");
    ran.err = read_file(path() / "err");
    return ran;
  }
  /// The same on url().
  Ran on_store(const std::string& arguments, const std::string& input = "") const {
    return run("--store '" + url() + "' " + arguments, input);
  }

 private:
  std::string quoted(const std::string& name) const { return '\'' + (path() / name).string() + '\''; }
  const testing::TemporaryDirectory directory_;
  std::string scheme_;
  const testing::SoundStores stores_;
};

// What a terminal acts on instead of showing it: ESC, DEL, a C1 control, what turns the direction of writing.
bool acts_on_terminal(const std::string& text) {
  const std::vector<std::string> sequences = {"\x1b",         "\x7f",         "\xc2\x9b",
                                              "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\x8f"};
  return std::any_of(sequences.begin(), sequences.end(), [&text](const std::string& sequence) {
    return text.find(sequence) != std::string::npos;
  });
}

constexpr const char* kDemo =
    R"({"session_id":"demo","agent_id":"a","title":"Hello","messages":[{"role":"user","content":"Hi"}]})";

}  // namespace

TEST_CASE("A wrong command line exits 2 and says why on stderr") {
  const Place place;
  for (const char* arguments :
       {"", "frobnicate", "ls", "--store nonsense: ls", "--store memory: ls --limit 0",
        "--store memory: ls --since yesterday", "--store memory: show", "--store memory:?no=1 ls",
        "--store memory: --durability power ls"}) {
    CAPTURE(arguments);
    const Ran ran = place.run(arguments);
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("sessile: "));
  }
  const Ran as_json = place.run("--json --store nonsense: ls");
  CHECK(as_json.code == 2);
  CHECK(parsed(as_json.err).at("error").at("code") == "usage");
}

TEST_CASE("Help teaches every command by an example") {
  const Place place;
  CHECK(place.run("--help").code == 0);
  for (const std::string command :
       {"ls", "show", "save", "append", "rm", "import", "export", "copy", "conformance"}) {
    const Ran ran = place.run(command + " --help");
    CHECK(ran.code == 0);
    CHECK(ran.out.find("Example: ") != std::string::npos);
  }
}

TEST_CASE("save refuses malformed JSON with line and column, and writes nothing") {
  const Place place;
  const Ran ran = place.run("--store memory: save", "{\"session_id\":\"x\",\n\"title\":}");
  CHECK(ran.code == 1);
  CHECK(ran.err.find("line 2, column 9") != std::string::npos);
  CHECK(ran.out.empty());
  const Ran as_json = place.run("--store memory: --json save", "{");
  CHECK(parsed(as_json.err).at("error").at("code") == "invalid_argument");
  if (place.is_missing()) return;
  CHECK(place.on_store("save", "{").code == 1);
  CHECK(place.on_store("ls").out.empty());
}

TEST_CASE("A condition that is no number is refused, and not left out") {
  const Place place;
  if (place.is_missing()) return;
  CHECK(place.on_store("save", kDemo).code == 0);
  for (const char* arguments : {"save --if-revision ''", "save --if-revision 010", "save --if-revision -1",
                                "append demo --if-revision ''", "show demo --last ''", "ls --limit 1e3"}) {
    CAPTURE(arguments);
    CHECK(place.on_store(arguments, kDemo).code == 2);
  }
  CHECK(place.on_store("show demo --last 0").code == 0);
}

TEST_CASE("An id in brackets is an id") {
  const Place place;
  if (place.is_missing()) return;
  for (const char* id : {"a", "b", "[a]", "[a,b]", "[[a]]"})
    CHECK(place.on_store("save", std::string("{\"session_id\":\"") + id + "\",\"messages\":[]}").code == 0);
  CHECK(place.on_store("show '[a]' --json").out.find("\"session_id\":\"[a]\"") != std::string::npos);
  CHECK(place.on_store("export '[a,b]'").out.find("\"session_id\":\"[a,b]\"") != std::string::npos);
  CHECK(place.on_store("rm '[a]' '[a,b]' '[[a]]'").code == 0);
  const std::string left = place.on_store("--json ls").out;
  CHECK(left.find("\"session_id\":\"a\"") != std::string::npos);
  CHECK(left.find("\"session_id\":\"b\"") != std::string::npos);
  CHECK(left.find('[') == std::string::npos);
}

TEST_CASE("A document that cannot be taken over is missing, on one line as on several") {
  const Place place;
  std::ofstream(place.path() / "a.json") << R"({"id":"a","user_id":42,"user_messages":[]})" << '\n';
  CHECK(place.run("--store memory: import '" + (place.path() / "a.json").string() + "'").code == 6);
  std::ofstream(place.path() / "b.json") << "{\n\"id\":\"a\",\n\"user_messages\":[]";
  CHECK(place.run("--store memory: import '" + (place.path() / "b.json").string() + "'").code == 6);
}

TEST_CASE("Who holds what is locked is told in fields of its own") {
  const Place place;
  const auto file = place.path() / "memory.jsonl";
  const auto held = blocking::wait(MemoryLog::open(file));
  REQUIRE(held.has_value());
  const Ran ran = place.run("--json memory --file '" + file.string() + "' add fact x");
  CHECK(ran.code == 5);
  CHECK(parsed(ran.err).at("error").at("holder").at("pid") == json::value(::getpid()));
}

TEST_CASE("What a full disk or a closed pipe does to the output") {
  const Place place;
  const Ran full =
      place.run_redirected("--store memory: --json import '" SESSILE_SAMPLES "'", " > /dev/full");
  CHECK(full.code == 1);
  CHECK(full.err.find("No space left") != std::string::npos);
  // Also where the last thing that is said goes to the other stream.
  if (!place.is_missing()) {
    for (const char* id : {"one", "two"})
      CHECK(place.on_store("save", std::string("{\"session_id\":\"") + id + "\",\"messages\":[]}").code == 0);
    const Ran cut = place.run_redirected("--store '" + place.url() + "' ls --limit 1", " > /dev/full");
    CHECK(cut.code == 1);
    CHECK(cut.err.find("No space left") != std::string::npos);
  }
  // The reader is gone before the first byte is written.
  const Ran closed =
      place.run_redirected("--store memory: --json import '" SESSILE_SAMPLES "'", " > >(exec true)");
  CHECK(closed.err.find("Broken pipe") == std::string::npos);
}

TEST_CASE("import reports its files, sessions and totals") {
  const Place place;
  const Ran ran = place.run("--store memory: --json import '" SESSILE_SAMPLES "'");
  CHECK(ran.code == 0);
  const std::vector<std::string> lines = lines_of(ran.out);
  REQUIRE(lines.size() == 13);
  CHECK(parsed(lines[0]).at("outcome") == "imported");
  CHECK(parsed(lines[1]).at("records") == 11);
  CHECK(parsed(lines.back()).at("total").at("imported") == 6);
  CHECK(parsed(lines.back()).at("total").at("skipped_lines") == 1);
  const Ran named = place.run("--store memory: import /dev/null");
  CHECK(named.code == 1);
}

TEST_CASE("A session is saved, shown, appended to, listed and removed, with the documented exit codes") {
  const Place place;
  if (place.is_missing()) return;
  const Ran saved = place.on_store("--json save --if-absent", kDemo);
  CHECK(saved.code == 0);
  const std::int64_t revision = parsed(saved.out).at("revision").as_int64();
  CHECK(place.on_store("save --if-absent", kDemo).code == 4);
  const Ran conflict = place.on_store("--json save --if-revision 7", kDemo);
  CHECK(conflict.code == 4);
  CHECK(parsed(conflict.err).at("error").at("actual") == revision);
  CHECK(place.on_store("save --if-revision " + std::to_string(revision), kDemo).code == 0);
  CHECK(place.on_store("append demo --key k", message_line("more")).code == 0);
  const Ran replayed = place.on_store("--json append demo --key k", message_line("more"));
  CHECK(replayed.code == 0);
  CHECK(parsed(replayed.out).at("replayed") == true);
  const Ran refused = place.on_store("append demo", message_line("x") + "{\"role\":\n");
  CHECK(refused.code == 1);
  CHECK(refused.err.find("line 2, column 9") != std::string::npos);
  CHECK(parsed(place.on_store("--json show demo").out).at("messages").as_array().size() == 2);
  CHECK(place.on_store("show demo").out.find("--- user") != std::string::npos);
  CHECK(parsed(place.on_store("--json ls --agent a").out).at("session_id") == "demo");
  CHECK(place.on_store("--json ls --agent b").out.empty());
  CHECK(place.on_store("rm demo").code == 0);
  CHECK(place.on_store("rm demo").code == 3);
  CHECK(place.on_store("show demo").code == 3);
  CHECK(place.on_store("append demo", message_line("x")).code == 3);
}

TEST_CASE("A part of a session that show printed cannot be saved over the whole") {
  const Place place;
  if (place.is_missing()) return;
  CHECK(place.on_store("save", kDemo).code == 0);
  CHECK(place.on_store("append demo", message_line("more")).code == 0);
  const Ran part = place.on_store("--json show demo --last 1");
  CHECK(parsed(part.out).at("omitted_messages") == 1);
  CHECK(place.on_store("save", part.out).code == 1);
  CHECK(parsed(place.on_store("--json show demo").out).at("messages").as_array().size() == 2);
  CHECK(place.on_store("save", place.on_store("--json show demo").out).code == 0);
}

TEST_CASE("Control characters of a session reach no terminal") {
  const Place place;
  if (place.is_missing()) return;
  const std::string nasty =
      R"({"session_id":"n\u001b[2J","title":"a\u001b]0;x\u0007b\u007f\u009b\u202e\u2066\u200f","messages":[{"role":"u\u001b","content":"c\u001b[31m\nd"}]})";
  CHECK(place.on_store("save", nasty).code == 0);
  for (const std::string command : {"ls", "show $'n\\x1b[2J'"}) {
    const Ran ran = place.on_store(command);
    CHECK(ran.code == 0);
    CHECK_FALSE(acts_on_terminal(ran.out));
    CHECK(ran.out.find("\\x1b") != std::string::npos);
  }
  // Nor inside JSON, where they are escaped: a program reads the very text.
  const std::string title = text_at(parsed(nasty), "title");
  for (const std::string command : {"--json ls", "--json show $'n\\x1b[2J'", "export"}) {
    CAPTURE(command);
    const Ran ran = place.on_store(command);
    CHECK(ran.code == 0);
    CHECK_FALSE(acts_on_terminal(ran.out));
    CHECK(text_at(parsed(ran.out), "title") == title);
  }
  const std::string file = (place.path() / "all.jsonl").string();
  CHECK(place.on_store("export --output '" + file + "'").code == 0);
  const Ran again = place.on_store("--json import '" + file + "'");
  CHECK_FALSE(acts_on_terminal(again.out));
  CHECK(parsed(lines_of(again.out).back()).at("total").at("unchanged") == 1);
}

TEST_CASE("Control characters of an error, a log or a file's name reach no terminal in JSON") {
  const Place place;
  fs::create_directory(place.path() / "found");
  const std::string name = "\x7f\xc2\x9b\xe2\x80\xae.jsonl";
  std::ofstream(place.path() / "found" / name) << "no transcript\n";
  const Ran found = place.run("--store memory: --json import '" + (place.path() / "found").string() + "'");
  CHECK(found.code == 0);
  CHECK_FALSE(acts_on_terminal(found.out));
  CHECK(text_at(parsed(lines_of(found.out).front()), "source").ends_with('/' + name));
  const std::string log = (place.path() / "log.jsonl").string();
  std::ofstream(log) << message_line(name);
  const Ran shown = place.run("--json log show '" + log + "'");
  CHECK(shown.code == 0);
  CHECK_FALSE(acts_on_terminal(shown.out));
  CHECK(text_at(parsed(lines_of(shown.out).back()), "content") == name);
  std::ofstream(log, std::ios::trunc) << message_line("x") << "damaged\n";
  fs::rename(log, place.path() / name);
  const Ran checked =
      place.run("--json verify --log $'" + place.path().string() + "/\\x7f\\xc2\\x9b\\xe2\\x80\\xae.jsonl'");
  CHECK(checked.code == 6);
  CHECK_FALSE(acts_on_terminal(checked.out));
  CHECK(text_at(parsed(lines_of(checked.out).front()), "path").ends_with('/' + name));
  const Ran missing = place.run("--store memory: --json show $'a\\x7f\\xc2\\x9b\\xe2\\x80\\xae'");
  CHECK(missing.code == 3);
  CHECK_FALSE(acts_on_terminal(missing.err));
  CHECK(text_at(parsed(missing.err).at("error"), "key") == "a\x7f\xc2\x9b\xe2\x80\xae");
}

TEST_CASE("An export is written for its owner alone, whatever the umask") {
  const Place place;
  if (place.is_missing()) return;
  CHECK(place.on_store("save", kDemo).code == 0);
  for (const mode_t mask : {mode_t{0}, mode_t{0277}}) {
    CAPTURE(mask);
    const fs::path file = place.path() / ("export-" + std::to_string(mask) + ".jsonl");
    const mode_t before = ::umask(mask);
    const Ran ran = place.on_store("export --output '" + file.string() + "'");
    ::umask(before);
    CHECK(ran.code == 0);
    CHECK((fs::status(file).permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
  }
}

TEST_CASE(
    "an import of an export in which a line is damaged says by its exit code that a session is missing") {
  const Place place;
  if (place.is_missing()) return;
  CHECK(place.on_store("import '" SESSILE_SAMPLES "'").code == 0);
  const fs::path file = place.path() / "export.jsonl";
  CHECK(place.on_store("export --output '" + file.string() + "'").code == 0);
  std::string text = read_file(file);
  text[text.find("\"messages\"") + 1] = '\x01';
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  const Ran ran = place.run("--store memory: import '" + file.string() + "'");
  CHECK(ran.code == 6);
  CHECK(ran.err.find("skipped") != std::string::npos);
}

TEST_CASE("export, import and copy carry every session over, and may be run again") {
  const Place place;
  if (place.is_missing()) return;
  CHECK(place.on_store("import '" SESSILE_SAMPLES "'").code == 0);
  const Ran again = place.on_store("--json import '" SESSILE_SAMPLES "'");
  CHECK(again.code == 0);
  CHECK(parsed(lines_of(again.out).back()).at("total").at("unchanged") == 6);
  const std::string file = (place.path() / "all.jsonl").string();
  CHECK(place.on_store("export --output '" + file + "'").code == 0);
  CHECK(lines_of(read_file(file)).size() == 6);
  CHECK((fs::status(file).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  const std::string other = "--store '" + place.url("other") + "' ";
  CHECK(place.run(other + "import '" + file + "'").code == 0);
  const Ran copied = place.on_store("--json copy --to '" + place.url("other") + "'");
  CHECK(copied.code == 0);
  CHECK(parsed(copied.out).at("unchanged") == 6);
  CHECK(place.on_store("export nobody").code == 3);
  CHECK(place.on_store("export nobody --output '" + file + "'").code == 3);
  CHECK(lines_of(read_file(file)).size() == 6);  // the complete one of before
}

TEST_CASE("ls goes on past what cannot be read") {
  const Place place;
  if (place.is_missing()) return;
  CHECK(place.on_store("save", kDemo).code == 0);
  CHECK(place.on_store("save", R"({"session_id":"other","messages":[]})").code == 0);
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place.path() / "store")) {
    const std::string name = entry.path().filename().string();
    if (name == "demo.jsonl" || name == "demo.json") files.push_back(entry.path());
  }
  REQUIRE(files.size() == 1);
  std::ofstream(files[0], std::ios::binary | std::ios::trunc) << "{\"session_id\":\0\0\0\n{}\n";
  place.expect(FindingKind::corrupt);
  const Ran ran = place.on_store("--json ls");
  CHECK(ran.code == 0);
  REQUIRE(lines_of(ran.out).size() == 2);
  CHECK(parsed(lines_of(ran.out)[1]).at("unreadable").at("code") == "corrupt");
  CHECK(place.on_store("show demo").code == 6);
  CHECK(place.on_store("rm other").code == 0);
  CHECK(place.on_store("ls").code == 6);
}

TEST_CASE("conformance refuses a store that is not empty, and calls what it skips skipped") {
  const Place place;
  const Ran memory = place.run("--store memory: --json conformance");
  CHECK(memory.code == 0);
  const json::value total = parsed(lines_of(memory.out).back()).at("total");
  CHECK(total.at("failed") == 0);
  CHECK(total.at("passed").as_int64() > 50);
  CHECK(total.at("skipped").as_int64() > 0);  // nobody else sees this store
  if (place.is_missing()) return;
  CHECK(place.on_store("save", kDemo).code == 0);
  const Ran refused = place.on_store("--json conformance");
  CHECK(refused.code == 1);
  CHECK(parsed(lines_of(refused.out).back()).at("total").at("passed") == 0);
  CHECK(parsed(place.on_store("--json show demo").out).at("title") == "Hello");
}
