// What takes a process of its own: another user, and how much memory hostile files cost. The process that
// starts them has no store open.
#include "backends/json_directory/records.hpp"
#include "hostile/planted.hpp"
#include "storage/log_record.hpp"
#include "support/forked.hpp"
#include "support/long_run.hpp"

#include <sys/resource.h>

#include <grp.h>

#include <functional>

namespace sessile::testing {

namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

/// Runs `body` in a process of its own and returns its peak of resident memory, in bytes; REQUIREs that it
/// ended with 0.
std::uint64_t peak_memory(const std::function<int()>& body) {
  struct Seen {
    std::uint64_t before = 0;
    std::uint64_t peak = 0;
  };
  Shared<Seen> seen;
  const int code = Forked([&] {
                     struct rusage usage {};
                     ::getrusage(RUSAGE_SELF, &usage);
                     seen->before = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
                     const int result = body();
                     ::getrusage(RUSAGE_SELF, &usage);
                     seen->peak = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
                     return result;
                   }).wait();
  REQUIRE(code == 0);
  return seen->peak - std::min(seen->before, seen->peak);
}

/// A file of `size` bytes that holds one line and no newline.
void write_long_line(const std::filesystem::path& file, std::string_view begin, std::uint64_t size) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << begin;
  const std::string block(kMebi, 'a');
  for (std::uint64_t written = begin.size(); written < size; written += block.size())
    out.write(block.data(),
              static_cast<std::streamsize>(std::min<std::uint64_t>(block.size(), size - written)));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kRoom = 1024 * kMebi;  // what a sanitizer keeps beside
#else
constexpr std::uint64_t kRoom = 0;
#endif

constexpr uid_t kSomebodyElse = 65534;

/// Becomes another user; what could not be done without is the exit code 99.
bool become_somebody_else() {
  return ::setgroups(0, nullptr) == 0 && ::setgid(kSomebodyElse) == 0 && ::setuid(kSomebodyElse) == 0;
}

/// What every writing operation answers is a typed error. 0: it did.
int writes_are_refused(const std::string& url) {
  auto store = open_store(url + "?lock_timeout=50ms").value();
  const auto refused = [](const auto& result, int otherwise) {
    if (result) return otherwise;
    const Errc code = result.error().code();
    return code == Errc::io || code == Errc::unavailable ? 0 : otherwise + 100;
  };
  int code = refused(blocking::save(*store, Place::session("s", 1)), 1);
  if (code == 0) code = refused(blocking::append(*store, SessionId("s"), {Message("user", "x")}), 2);
  if (code == 0) code = refused(blocking::remove(*store, SessionId("s")), 3);
  return code;
}

/// Sessions "s" and "good" of one message each, made by a child: whoever forks has no store open.
void make_store(const std::string& url, const json::value& content) {
  REQUIRE(Forked([&] {
            auto store = open_store(url).value();
            blocking::save(*store, Place::session("good", 1)).value();
            return blocking::save(*store, Session("s").add_message("user", content)) ? 0 : 1;
          }).wait() == 0);
}

std::filesystem::path file_of_s(const std::string& scheme, const std::filesystem::path& store) {
  return scheme == "file" ? store / "s.json" : store / "sessions" / "s.jsonl";
}

/// The session "s" with `text` in the place of its message's content, as another program would write it that
/// knows how.
std::string with_content(const std::string& scheme, const std::string& stored, const std::string& text) {
  if (scheme == "file")
    return "{\"session_id\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":" + text + "}]}";
  const auto record = storage::check_record(std::string_view(stored).substr(0, stored.find('\n')));
  REQUIRE(record);
  std::string members(record->members);
  const std::string content = "\"content\":\"here\"";
  REQUIRE(members.find(content) != std::string::npos);
  members.replace(members.find(content), content.size(), "\"content\":" + text);
  return storage::frame_record(record->seq, members);
}

/// 0: nothing that reads the session "s" takes it for a good one, or for absent. `head_only`: a listing reads
/// no more than its summary, and a save does not read it, where it can be told from damage.
int is_corrupt(const std::string& url, bool head_only) {
  auto store = open_store(url).value();
  const auto loaded = blocking::load(*store, SessionId("s"));
  if (loaded) return 1;
  const Errc code = loaded.error().code();
  if (code != Errc::corrupt && code != Errc::too_large) return 2;
  const Mutation change([](Session& session) { session.set_title("changed"); });
  const auto updated = blocking::update(*store, SessionId("s"), change);
  if (updated || updated.error().code() != code) return 3;
  if (!head_only) {
    const auto saved = blocking::save(*store, Place::session("s", 1));
    if (saved || saved.error().code() != code) return 4;
  }
  auto listed = blocking::list(*store);
  if (!listed || listed->unreadable.size() != (head_only ? 0 : 1)) return 5;
  auto report = blocking::verify(*store);
  if (!report || report->findings.size() != 1) return 6;
  // A store that has no files gets what others read.
  const auto memory = open_store("memory:").value();
  const auto copied = blocking::wait(copy(store, memory));
  if (!copied || copied->copied != 1 || copied->failed.size() != 1) return 7;
  const auto arrived = blocking::load(*memory, SessionId("s"));
  return !arrived && arrived.error().code() == Errc::not_found ? 0 : 8;
}

/// How many appends were acknowledged, and how many found the lock taken.
class Appended {
 public:
  Appended() {}
  std::atomic<std::size_t> done{0};
  std::atomic<std::size_t> locked{0};
};

/// Several processes append to the session "s". Returns false when something else came of one.
bool append_in_processes(const std::string& url, std::size_t each, Appended& appended) {
  std::vector<Forked> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&] {
      const Deadline deadline;
      auto store = open_store(url).value();
      for (std::size_t i = 0; i < each; ++i) {
        const auto result = blocking::append(*store, SessionId("s"), {Message("user", "x")});
        if (!result && result.error().code() != Errc::locked) return 1;
        ++(result ? appended.done : appended.locked);
      }
      return 0;
    });
  }
  bool ended = true;
  for (Forked& writer : writers)
    ended = writer.wait() == 0 && ended;
  return ended;
}

std::size_t messages_of_s(const std::string& url) {
  const Shared<std::atomic<std::size_t>> count;
  CHECK(Forked([&] {
          auto store = open_store(url).value();
          *count = (*blocking::load(*store, SessionId("s")).value()).messages.size();
          return blocking::verify(*store).value().sound() ? 0 : 1;
        }).wait() == 0);
  return *count;
}

std::filesystem::path lock_of_s(const std::string& scheme, const std::filesystem::path& store) {
  return scheme == "file" ? store / "s.json.lock" : store / "locks" / "s.lock";
}

}  // namespace

TEST_CASE("another user reads and writes nothing, and one who may read can change nothing") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can act as another user");
    return;
  }
  for (const std::string scheme : {"file", "jsondir"}) {
    CAPTURE(scheme);
    // Made by a child too: whoever forks has no store open.
    const TemporaryDirectory directory;
    const std::string url = scheme + ":" + (directory.path() / "store").string();
    REQUIRE(Forked([&url] {
              auto store = open_store(url).value();
              return blocking::save(*store, Place::session("s", 2)) ? 0 : 1;
            }).wait() == 0);
    REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
    CHECK(Forked([&url] {
            if (!become_somebody_else()) return 99;
            auto store = open_store(url).value();
            if (blocking::load(*store, SessionId("s"))) return 50;
            if (blocking::list(*store)) return 51;
            const auto report = blocking::verify(*store, VerifyOptions().repair());
            if (report && report->sound()) return 52;
            return writes_are_refused(url);
          }).wait() == 0);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path()))
      ::chmod(entry.path().c_str(), entry.is_directory() ? 0755 : 0644);
    CHECK(Forked([&url] {
            if (!become_somebody_else()) return 99;
            auto store = open_store(url).value();
            auto loaded = blocking::load(*store, SessionId("s"));
            if (!loaded || (*loaded)->messages.size() != 2) return 60;
            auto listed = blocking::list(*store);
            if (!listed || listed->items.size() != 1) return 61;
            auto report = blocking::verify(*store);
            if (!report || !report->findings.empty()) return 62;
            return writes_are_refused(url);
          }).wait() == 0);
    CHECK(Forked([&url] {
            auto store = open_store(url).value();
            auto loaded = blocking::load(*store, SessionId("s"));
            return loaded && (*loaded)->messages.size() == 2 ? 0 : 1;
          }).wait() == 0);
  }
}

TEST_CASE("33 monsters in a file that another program wrote are corrupt, in bounded memory, and stay") {
  const std::vector<std::pair<std::string, std::string>> monsters = {
      {"depth", std::string(5000000, '[')},
      {"objects",
       [] {
         std::string text;
         for (int i = 0; i < 200000; ++i)
           text += "{\"a\":";
         return text;
       }()},
      {"exponent", "1e400"},
      {"digits", std::string(1000000, '9')},
      {"fraction", "0." + std::string(1000000, '1') + "e-999999999999"},
      {"surrogate", "\"\\ud800\""},
      {"bytes", "\"\xff\xfe\""},
      {"raw_newline", "\"a\nb\""},
      {"nul", std::string("\"a\0b\"", 5)},
  };
  for (const std::string scheme : {"file", "jsondir"}) {
    for (const auto& [what, text] : monsters) {
      CAPTURE(scheme);
      CAPTURE(what);
      const TemporaryDirectory directory;
      const auto place = directory.path() / "store";
      const std::string url = scheme + ":" + place.string();
      make_store(url, "here");
      const auto file = file_of_s(scheme, place);
      const std::string document = with_content(scheme, Place::read(file), text);
      Place::write(file, document);
      const std::uint64_t peak = peak_memory([&] { return is_corrupt(url, scheme == "jsondir"); });
      // A few copies of the text, and what the parser has of it; no level of nesting costs stack.
      CHECK_MESSAGE(peak < 10 * document.size() + 64 * kMebi + kRoom, peak);
      CHECK(Place::read(file) == document);
    }
  }
}

TEST_CASE(
    "what is planted at the line before a session's lock lets every process have its turn, one by one") {
  for (const std::string scheme : {"file", "jsondir"}) {
    for (const Planted what : kAll) {
      CAPTURE(scheme);
      CAPTURE(name(what));
      const TemporaryDirectory directory;
      const auto place = directory.path() / "store";
      const std::string url = scheme + ":" + place.string() + "?durability=process&lock_timeout=50s";
      make_store(url, "first");
      const Treasure treasure(directory.path(), "a treasure");
      const Plot plot(what, lock_of_s(scheme, place).string() + ".queue", treasure);
      if (!plot) continue;
      const Shared<Appended> appended;
      CHECK(append_in_processes(url, 20, *appended));
      CHECK(appended->locked == 0);
      CHECK(messages_of_s(url) == 1 + 3 * 20);
      plot.check_stays();
    }
  }
}

TEST_CASE("a line that is the lock itself by a hard link loses nothing that was acknowledged") {
  for (const std::string scheme : {"file", "jsondir"}) {
    for (const std::string lock : {"auto", "flock", "interprocess"}) {
      CAPTURE(scheme);
      CAPTURE(lock);
      const TemporaryDirectory directory;
      const auto place = directory.path() / "store";
      const std::string url =
          scheme + ":" + place.string() + "?durability=process&lock_timeout=50ms&lock=" + lock;
      make_store(url, "first");
      const auto sidecar = lock_of_s(scheme, place);
      std::filesystem::create_hard_link(sidecar, sidecar.string() + ".queue");
      const Shared<Appended> appended;
      CHECK(append_in_processes(url, 20, *appended));
      // Who stands in line has the lock in part, and keeps all from it until it gives up.
      CHECK(appended->done > 0);
      CHECK(messages_of_s(url) == 1 + appended->done);
    }
  }
}

TEST_CASE("33 a line without an end costs no more memory than the limits allow, in every kind of file") {
  // SESSILE_LINE_MIB: 1024 in the long form.
  const std::uint64_t size = number_from_environment("SESSILE_LINE_MIB", 64) * kMebi;
  const TemporaryDirectory directory;
  const auto top = directory.path();
  for (const char* made : {"file", "jsondir/sessions", "state/c", "logs"})
    std::filesystem::create_directories(top / made);
  const std::uint64_t peak = peak_memory([&] {
    Limits limits;
    limits.message_bytes = kMebi;
    limits.session_bytes = 4 * kMebi;
    const auto is_refused = [](const auto& result) {
      return !result && (result.error().code() == Errc::too_large || result.error().code() == Errc::corrupt);
    };
    const std::pair<const char*, const char*> stores[] = {{"file", "s.json"},
                                                          {"jsondir", "sessions/s.jsonl"}};
    for (const auto& [scheme, file] : stores) {
      write_long_line(top / scheme / file, "{\"session_id\":\"s\",\"title\":\"", size);
      auto store = open_store(scheme + (":" + (top / scheme).string()), OpenOptions().limits(limits)).value();
      if (!is_refused(blocking::load(*store, SessionId("s")))) return 1;
      if (!is_refused(blocking::append(*store, SessionId("s"), {Message("user", "x")}))) return 2;
      if (!is_refused(blocking::save(*store, Session("s")))) return 3;
      if (blocking::list(*store).value().unreadable.size() != 1) return 4;
      const auto report = blocking::verify(*store, VerifyOptions().repair()).value();
      if (report.findings.empty()) return 5;
      std::filesystem::remove_all(top / scheme);
    }
    write_long_line(top / "state/c/d.json", "{\"a\":\"", size);
    const auto documents =
        open_documents(top / "state", DocumentStoreOptions().document_bytes(limits.session_bytes)).value();
    if (!is_refused(blocking::wait(documents.load_json("c", "d")))) return 6;
    if (!blocking::wait(documents.verify())) return 7;
    std::filesystem::rename(top / "state/c/d.json", top / "logs/l.jsonl");
    LogOptions options;
    options.limits(limits);
    SessionLog log(top / "logs/l.jsonl", {}, options);
    if (!is_refused(blocking::wait(log.load()))) return 8;
    if (!blocking::wait(log.verify())) return 9;
    std::filesystem::rename(top / "logs/l.jsonl", top / "logs/m.jsonl");
    if (!is_refused(blocking::wait(MemoryLog::open(top / "logs/m.jsonl", options)))) return 10;
    return blocking::wait(MemoryLog::verify(top / "logs/m.jsonl", VerifyOptions(), options)) ? 0 : 11;
  });
  MESSAGE("a line of ", size / kMebi, " MiB took ", peak / kMebi, " MiB");
  // A log may be four times the session's limit and a mebibyte, a document twice: each is read once at a
  // time. Less than the line itself, so that one that is read as a whole is noticed.
  CHECK(peak < 4 * 4 * kMebi + 32 * kMebi + kRoom);
}

TEST_CASE(
    "33 a record that is said to be where a log has a hole costs no more memory than the limits allow") {
  const TemporaryDirectory directory;
  const auto sessions = directory.path() / "sessions";
  std::filesystem::create_directories(sessions);
  json_directory::RecordHead head;
  head.type = json_directory::RecordType::append;
  head.base = 4096;
  head.summary.revision = 2;
  head.summary.message_count = 2;
  head.summary.stored_bytes = 100;
  const std::string record =
      storage::frame_record(2, json_directory::encode_append(head, {Message("user", json::value("x"))}));
  constexpr std::uint64_t kHole = 256 * kMebi;  // of no block
  std::ofstream(sessions / "s.jsonl").close();
  std::filesystem::resize_file(sessions / "s.jsonl", kHole);
  std::ofstream(sessions / "s.jsonl", std::ios::binary | std::ios::app) << record;
  const std::uint64_t peak = peak_memory([&] {
    Limits limits;
    limits.session_bytes = 4 * kMebi;
    const auto store =
        open_store("jsondir:" + directory.path().string(), OpenOptions().limits(limits)).value();
    if (blocking::list(*store).value().unreadable.size() != 1) return 1;
    if (blocking::load(*store, SessionId("s"))) return 2;
    return blocking::save(*store, Session("s")) ? 3 : 0;
  });
  CHECK(peak < 4 * 4 * kMebi + 32 * kMebi + kRoom);
}

}  // namespace sessile::testing
