// Any bytes where a store, a log or a document keeps its own: what can be read stays what it is, what cannot
// is told of, and a repair takes nothing away without a copy.
#include "crash/subject.hpp"
#include "fuzz/targets.hpp"
#include "storage/lock_url.hpp"
#include "storage/log_record.hpp"

#include <sessile/sessile.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sessile::fuzz {
namespace {

namespace fs = std::filesystem;
using Bytes = std::string_view;

/// One loop for all inputs: to make one takes as long as an operation.
crash::Runner& runner() {
  static crash::Runner the_runner;
  return the_runner;
}

/// Runs `operation` on this thread, what it does with the disk included: none is woken and waited for, and
/// what an input allocates it frees before the next. Else a fuzzer looks through all memory for leaks.
template <class T>
Result<T> run(Async<T> operation) {
  return runner().run(std::move(operation));
}

class Place {
 public:
  Place() : path_(fs::path(scratch_folder()) / "stored") { fs::create_directories(path_); }
  ~Place() {
    runner().finish();
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  const fs::path& path() const noexcept { return path_; }

 private:
  const fs::path path_;
};

void write(const fs::path& file, Bytes bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// Each line but the first framed as a log's record when the first says so, for what is behind the checksums.
std::string perhaps_framed(Bytes bytes) {
  Input input(bytes);
  if (!bytes.starts_with("framed\n")) return std::string(bytes);
  (void)input.line();
  std::string log;
  for (std::uint64_t seq = 1; !input.empty(); ++seq)
    log += storage::frame_record(seq, input.line());
  return log;
}

bool not_judged(FindingKind kind) {
  return kind == FindingKind::newer_format || kind == FindingKind::too_large;
}

/// What may be said of bytes that cannot be read.
bool tells_of_damage(const Error& error) {
  return error.code() == Errc::corrupt || error.code() == Errc::too_large ||
         error.code() == Errc::unsupported;
}

/// Good data that may not be read keeps a repair from what is damaged beside it.
bool may_be_left(const Finding& finding) {
  if (not_judged(finding.kind)) return true;
  if (!finding.failure) return false;
  return finding.failure->code() == Errc::unsupported || finding.failure->code() == Errc::too_large;
}

bool is_repaired(const VerifyReport& report) {
  return std::all_of(report.findings.begin(), report.findings.end(),
                     [](const Finding& finding) { return finding.repaired; });
}

/// A repair leaves nothing to repair.
template <class Verify>
void check_repair(const VerifyReport& repaired, Verify verify) {
  for (const Finding& finding : repaired.findings)
    require(finding.repaired || may_be_left(finding), "a repair repairs what it judges");
  if (!is_repaired(repaired)) return;
  const Result<VerifyReport> again = verify();
  require(again.has_value(), "what was repaired can be checked");
  for (const Finding& finding : again->findings)
    require(not_judged(finding.kind), "a repair leaves nothing to repair");
}

/// Bytes are in the file still, or all of them in the quarantine.
void check_kept(const VerifyReport& repaired, const fs::path& file, Bytes bytes) {
  if (fs::exists(file) && read(file) == bytes) return;
  const auto holds = [bytes](const Finding& finding) {
    return !finding.quarantine.empty() && bytes.ends_with(read(finding.quarantine));
  };
  require(std::any_of(repaired.findings.begin(), repaired.findings.end(), holds),
          "what a repair takes out is in quarantine");
}

LogOptions log_options() {
  return LogOptions().durability(Durability::process).executor(runner().executor());
}

void one_session(const std::string& url, const fs::path& file, Bytes bytes) {
  const SessionId id("a"), other("b");
  auto store = open_store(url, OpenOptions().executor(runner().executor())).value();
  Session neighbour("b");
  neighbour.add_message("user", "mine");
  run(store->save(neighbour)).value();
  const SessionPtr others = run(store->load(other)).value();
  write(file, bytes);

  const auto before = run(store->load(id));
  require(before.has_value() || tells_of_damage(before.error()), url + ": damage is never taken for absence");
  const auto listed = run(store->list());
  require(listed.has_value(), url + ": a listing goes on past damage");
  require(listed->items.size() + listed->unreadable.size() == 2, url + ": a listing hides nothing");
  const auto found = run(store->verify());
  require(found.has_value(), url + ": any bytes can be checked");
  require(before.has_value() || !found->findings.empty(), url + ": what cannot be read is found");
  require(read(file) == bytes, url + ": reading and checking change nothing");

  const auto repaired = run(store->verify(VerifyOptions().repair()));
  require(repaired.has_value(), url + ": any bytes can be repaired");
  check_repair(*repaired, [&] { return run(store->verify()); });
  const auto after = run(store->load(id));
  if (before)
    require(after.has_value() && (*after)->same_content(**before), url + ": a repair keeps what is good");
  if (!before) check_kept(*repaired, file, bytes);
  require(run(store->load(other)).value()->same_content(*others), url + ": the others stay as they are");
  if (!before && is_repaired(*repaired)) {
    const bool ready = after.has_value() || after.error().code() == Errc::not_found;
    require(ready, url + ": what was repaired can be read, or is gone");
    Session next("a");
    next.add_message("user", "next");
    require(run(store->save(next)).has_value(), url + ": what was repaired can be written");
  }
  after.ignore();
  // What is gone a process does not remember.
  run(store->remove(id)).ignore();
  run(store->remove(other)).value();
  run(store->close()).value();
}

std::vector<Message> turns_of(SessionLog& log) {
  auto loaded = run(log.load());
  require(loaded.has_value(), "any file can be read as a session's log");
  return std::move(loaded->turns);
}

}  // namespace

void stored_sessions(Bytes bytes) {
  const std::string log = perhaps_framed(bytes);
  const Place place;
  const std::string parameters = "?durability=process&max_session=1000000&max_message=100000&max_depth=40";
  const fs::path files = place.path() / "files";
  one_session("file:" + files.string() + parameters, files / "a.json", bytes);
  const fs::path logs = place.path() / "logs";
  one_session("jsondir:" + logs.string() + parameters, logs / "sessions" / "a.jsonl", log);
}

void session_lines(Bytes bytes) {
  const Place place;
  const fs::path file = place.path() / "log" / "s.jsonl";
  write(file, bytes);
  SessionLog log(file, json::object(), log_options());
  auto turns = turns_of(log);
  const Message added("user", "new");
  require(run(log.append(added)).has_value(), "any file can be appended to");
  const std::string text = read(file);
  require(text.starts_with(bytes), "an append changes nothing that is there");
  auto more = turns_of(log);
  require(more.size() == turns.size() + 1 && more.back().content == added.content, "an append adds a turn");
  require(std::equal(turns.begin(), turns.end(), more.begin()), "an append keeps the turns");

  const auto repaired = run(log.verify(VerifyOptions().repair()));
  require(repaired.has_value(), "any log can be repaired");
  check_repair(*repaired, [&log] { return run(log.verify()); });
  check_kept(*repaired, file, text);
  require(turns_of(log) == more, "a repair keeps the turns");
}

void memory_records(Bytes bytes) {
  const Place place;
  const fs::path file = place.path() / "memory" / "m.jsonl";
  const std::string records = perhaps_framed(bytes);
  write(file, records);
  const LogOptions options = log_options();
  const auto items_of = [&](MemoryLog& memory) { return run(memory.list()).value(); };
  {
    auto memory = run(MemoryLog::open(file, options));
    if (!memory) require(tells_of_damage(memory.error()), "damage is never taken for an empty memory");
    if (memory) {
      const auto items = items_of(*memory);
      const auto added = run(memory->add(MemoryKind::fact, "new"));
      require(added.has_value() || added.error().code() == Errc::too_large, "a memory can be added to");
      if (!added) return;
      for (const MemoryItem& item : items)
        require(item.id < added->id, "an id is not used again");
      run(memory->close()).value();
      auto again = run(MemoryLog::open(file, options)).value();
      auto expected = items;
      expected.insert(expected.begin(), *added);
      require(items_of(again) == expected, "an addition keeps the rest");
      run(again.close()).value();
      const auto report = run(MemoryLog::verify(file, VerifyOptions(), options));
      require(report.has_value() && report->sound(), "an addition damages nothing");
      return;
    }
  }
  const auto verify = [&](const VerifyOptions& how) { return run(MemoryLog::verify(file, how, options)); };
  const auto repaired = verify(VerifyOptions().repair());
  require(repaired.has_value(), "any memory can be repaired");
  check_repair(*repaired, [&] { return verify(VerifyOptions()); });
  check_kept(*repaired, file, records);
  const auto opened = run(MemoryLog::open(file, options));
  require(opened.has_value() == is_repaired(*repaired), "what was repaired can be opened");
}

void stored_documents(Bytes bytes) {
  const Place place;
  DocumentStoreOptions options;
  options.durability(Durability::process).executor(runner().executor());
  const auto documents = open_documents(place.path(), options).value();
  const fs::path file = place.path() / "agents" / "plan.json";
  write(file, bytes);
  write(place.path() / "agents" / "notes.md", bytes);
  const auto loaded = run(documents.load_json("agents", "plan"));
  const auto text = run(documents.load_markdown("agents", "notes"));
  require(loaded.has_value() || tells_of_damage(loaded.error()), "a document is read, or damaged");
  require(text.has_value() || tells_of_damage(text.error()), "a text is read, or damaged");
  if (loaded) require(loaded->has_value(), "a document that is there is found");
  if (text) require(text->has_value() && (**text).text == bytes, "a text is read as it is");
  const auto edited = run(documents.update_json("agents", "plan", DocumentEdit::merge({{"k", 1}})));
  if (!loaded) {
    require(!edited.has_value(), "damage is not edited");
    require(read(file) == bytes, "damage is not overwritten");
    const auto repaired = run(documents.verify(VerifyOptions().repair()));
    require(repaired.has_value(), "any document can be repaired");
    check_repair(*repaired, [&] { return run(documents.verify()); });
    check_kept(*repaired, file, bytes);
  }
  if (loaded && edited) {
    const auto again = run(documents.read_json("agents", "plan"));
    require(again.has_value() && again->value == edited->value, "what was edited is read back");
    require(again->value.as_object().at("k") == 1, "the edit is there");
  }
  edited.ignore();
}

void store_urls(Bytes bytes) {
  const auto refuses_well = [](const Error& error) {
    return error.code() == Errc::invalid_argument || error.code() == Errc::unsupported;
  };
  const auto url = StoreUrl::parse(bytes);
  const auto store = open_store(bytes);
  if (!url) require(refuses_well(url.error()) && !store.has_value(), "a URL is parsed or invalid");
  if (!store) {
    require(refuses_well(store.error()), "a store is refused with a fitting error");
    const bool has_secret = bytes.starts_with("postgres://u:hunter2@");
    require(!has_secret || store.error().message().find("hunter2") == std::string::npos,
            "an error holds no credentials");
  }
  if (!url) return;
  UrlParameters parameters(*url);
  LockOptions lock;
  OpenOptions options;
  if (storage::apply_lock_parameters(parameters, lock) && parameters.apply_common(options)) {
    require(lock.timeout().count() >= 0, "a timeout is none that is over");
  }
  parameters.finish().ignore();
}

}  // namespace sessile::fuzz
