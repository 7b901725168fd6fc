// What takes a process of its own: another user, and how much memory hostile files cost. The process that
// starts them has no store open.
#include "support/forked.hpp"
#include "support/long_run.hpp"
#include "verify/places.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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
  for (const auto& [what, text] : monsters) {
    CAPTURE(what);
    const TemporaryDirectory directory;
    std::filesystem::create_directory(directory.path() / "store");
    const auto file = directory.path() / "store" / "s.json";
    const std::string document =
        "{\"session_id\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":" + text + "}]}";
    Place::write(file, document);
    const std::string url = "file:" + (directory.path() / "store").string();
    const std::uint64_t peak = peak_memory([&url] {
      auto store = open_store(url).value();
      const auto loaded = blocking::load(*store, SessionId("s"));
      if (loaded) return 1;
      const Errc code = loaded.error().code();
      if (code != Errc::corrupt && code != Errc::too_large) return 2;
      const auto saved = blocking::save(*store, Place::session("s", 1));
      if (saved || saved.error().code() != code) return 3;
      auto listed = blocking::list(*store);
      if (!listed || listed->unreadable.size() != 1) return 4;
      auto report = blocking::verify(*store);
      return report && report->findings.size() == 1 ? 0 : 5;
    });
    // A few copies of the text, and what the parser has of it; no level of nesting costs stack.
    CHECK_MESSAGE(peak < 10 * document.size() + 64 * kMebi + kRoom, peak);
    CHECK(Place::read(file) == document);
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

}  // namespace sessile::testing
