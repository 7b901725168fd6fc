// Every allocation of the codec, of the file primitives, of the locks and of a session's writer fails once. A
// program of its own: it replaces operator new. On real files: what a simulated disk allocates could not be
// told from what is under test.
#include "backends/json_directory/factory.hpp"
#include "backends/json_directory/layout.hpp"
#include "backends/json_directory/log_reading.hpp"
#include "backends/json_directory/session_log.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/append_log.hpp"
#include "storage/lock_queue.hpp"
#include "storage/log_replacement.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"
#include "subject.hpp"
#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/backend.hpp>
#include <sessile/json.hpp>

#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <set>
#include <utility>

namespace {

/// One thread only. Asio's own by aligned_alloc are not counted and do not fail: it forgets a strand that it
/// has no memory to schedule, with all that is to run there.
class Allocations {
 public:
  /// From now on the `failing`-th fails, from 0.
  void arm(std::size_t failing) {
    failing_ = failing;
    made_ = 0;
    last_bytes_ = {};
    armed_ = true;
  }
  /// Returns whether there were so many.
  bool disarm() {
    armed_ = false;
    return made_ > failing_;
  }
  long live() const noexcept { return live_; }

  void* allocate(std::size_t size) {
    if (armed_ && fails(size)) throw std::bad_alloc();
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    ++live_;
    return memory;
  }
  void release(void* memory) noexcept {
    if (memory == nullptr) return;
    --live_;
    std::free(memory);
  }

 private:
  bool fails(std::size_t size) noexcept {
    const bool fails = made_++ == failing_ && !is_rest_of_a_strand(size);
    last_bytes_ = {size, last_bytes_[0]};
    return fails;
  }
  /// Asio destroys a strand, which is not filled in yet, when it has no memory for its counter or its mutex.
  bool is_rest_of_a_strand(std::size_t size) const noexcept {
    constexpr std::size_t kStrand = sizeof(boost::asio::detail::strand_executor_service::strand_impl);
    constexpr std::size_t kMutex = sizeof(boost::asio::detail::mutex);
    return last_bytes_[0] == kStrand || (last_bytes_[1] == kStrand && size == kMutex);
  }

  bool armed_ = false;
  std::size_t made_ = 0;
  std::size_t failing_ = 0;
  std::array<std::size_t, 2> last_bytes_{};
  long live_ = 0;
};
Allocations allocations;

}  // namespace

void* operator new(std::size_t size) {
  return allocations.allocate(size);
}
void* operator new[](std::size_t size) {
  return allocations.allocate(size);
}
void operator delete(void* memory) noexcept {
  allocations.release(memory);
}
void operator delete[](void* memory) noexcept {
  allocations.release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  allocations.release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  allocations.release(memory);
}

namespace {

using namespace sessile;
using namespace sessile::crash;
using storage::CommitGate;

namespace fs = std::filesystem;
using storage::Directory;

/// The descriptors of this process.
std::set<std::string> open_descriptors() {
  std::set<std::string> open;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd"))
    open.insert(entry.path().filename().string());
  return open;
}

using Work = std::function<bool()>;
using Check = std::function<void(bool done)>;

/// Runs `work` again and again, each time with another allocation failing, until it has enough. `work`
/// answers whether it succeeded; what it has allocated and opened it must have let go of. `check` looks at
/// what it left each time, and makes all ready for the next. Returns how many allocations there were.
std::size_t fail_each(
    const Work& work, const Check& check = [](bool) {}) {
  REQUIRE(work());  // what is made once in a process is made now
  check(true);
  for (std::size_t failing = 0;; ++failing) {
    bool threw = false;
    bool succeeded = false;
    const auto opened = open_descriptors();
    const long before = allocations.live();
    allocations.arm(failing);
    try {
      succeeded = work();
    } catch (const std::bad_alloc&) {
      // What the primitives throw, the store's operation turns into a Result.
      threw = true;
    }
    const bool reached = allocations.disarm();
    const long leaked = allocations.live() - before;
    CAPTURE(failing);
    CHECK(leaked == 0);
    CHECK(open_descriptors() == opened);
    check(succeeded);
    // No lack of memory is taken for anything else.
    CHECK(succeeded != threw);
    if (reached) continue;
    CHECK(succeeded);
    return failing;
  }
}

Session sample() {
  Session session("an id with spaces");
  session.set_agent("planner").add_message("user",
                                           json::value("a question, long enough not to fit into a string"));
  session.add_message("assistant",
                      json::value{{"type", "text"}, {"text", "an answer"}, {"more", {1, 2.5, nullptr}}});
  session.metadata["a key that is rather long for a small string"] = {{"nested", {1, 2, 3}}};
  return session;
}

/// A directory with files in it.
class Files {
 public:
  /// Opened anew each time.
  std::shared_ptr<Directory> open() const {
    return storage::real_file_system()->open_directory(place_.path()).value();
  }
  /// Nothing but this one file.
  void reset(const std::string& name, const std::string& content) const {
    for (const auto& entry : fs::directory_iterator(place_.path()))
      fs::remove_all(entry.path());
    std::ofstream(place_.path() / name, std::ios::binary) << content;
  }
  std::string read(const fs::path& name) const {
    std::ifstream file(place_.path() / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  /// Sorted, with a space behind each, of what is there but `name`.
  std::string names_but(const std::string& name) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(place_.path()))
      names.insert(entry.path().filename().string());
    names.erase(name);
    std::string all;
    for (const std::string& other : names)
      all += other + " ";
    return all;
  }
  const fs::path& path() const noexcept { return place_.path(); }

 private:
  const sessile::testing::TemporaryDirectory place_;
};

/// The opened directories of a store, with a cache of its own.
class StorePlace {
 public:
  StorePlace() {
    json_directory::Layout layout(storage::real_file_system(), directory.path() / "store",
                                  MissingPlace::create);
    const auto opened = layout.open_to_write().value();
    place.root = opened->root;
    place.sessions = opened->sessions;
    place.locks = opened->locks;
    place.agents = opened->agents;
    place.cache = std::make_shared<json_directory::LogCache>();
  }
  /// All of it on this thread, as everything here.
  void check_sound() const {
    Runner runner;
    const auto store = sessile::detail::make_json_directory_store_on(
                           storage::real_file_system(), directory.path() / "store", LockOptions(),
                           OpenOptions().executor(runner.executor()))
                           .value();
    sessile::testing::check_sound(runner.run(store->verify()));
  }
  sessile::testing::TemporaryDirectory directory;
  json_directory::Place place;
};

/// A session in a log, and how it is written.
class SessionPlace {
 public:
  using Texts = std::vector<std::string>;

  SessionPlace(json_directory::Place& opened, SessionId name) : place(opened), id(std::move(name)) {
    // Several snapshots: more than three times the session.
    place.compactions = std::make_shared<json_directory::CompactionRegister>();
    for (const std::string text : {"one", "two", "three", "four", "five"})
      save({text}).value();
    append("six", "").value();
  }

  json_directory::SessionWriter writer() {
    return json_directory::SessionWriter(place, id, stamper, Limits());
  }
  Result<Written> save(const Texts& texts) {
    Session session(id);
    session.set_agent("planner");
    for (const std::string& text : texts)
      session.add_message("assistant", json::value(text));
    const std::uint64_t bytes = measure(session, Limits()).value();
    session.stored_bytes = bytes;
    CommitGate gate;
    SaveOptions options;
    options.durability(Durability::process).measured_bytes(bytes);
    return writer().save(std::make_shared<const Session>(std::move(session)), options, gate);
  }
  Result<Written> append(const std::string& text, const std::string& key) {
    const auto added = std::make_shared<const std::vector<Message>>(
        std::vector<Message>{Message("assistant", json::value(text))});
    CommitGate gate;
    AppendOptions options;
    options.durability(Durability::process).idempotency_key(key);
    options.measured_bytes(measure(added->front(), Limits()).value());
    return writer().append(added, options, gate);
  }
  Result<SessionPtr> update(const std::string& text) {
    auto changing = writer();
    const UpdateOptions options = UpdateOptions().durability(Durability::process);
    auto current = changing.begin_update(options);
    if (!current) return current;
    auto next = std::make_shared<Session>(**current);
    next->title = text;
    next->add_message("assistant", json::value(text));
    next->stored_bytes = measure(*next, Limits()).value();
    CommitGate gate;
    return changing.finish_update(std::move(next), options, gate);
  }

  /// What is stored, read by one who remembers nothing, after making sure that the listing and one who
  /// remembers say the same.
  Texts stored() {
    json_directory::LogCache nothing;
    const auto session = json_directory::read_session(*place.sessions, nothing, id, Limits()).value();
    const auto again = json_directory::read_session(*place.sessions, *place.cache, id, Limits()).value();
    CHECK(encode_session(*session) == encode_session(*again));
    const std::string log = json_directory::log_name(id);
    CHECK(json_directory::read_summary(*place.sessions, log, Limits()).value() == summarize(*session));
    Texts texts;
    for (const Message& message : session->messages)
      texts.emplace_back(message.content.get_string());
    return texts;
  }

  json_directory::Place& place;
  const SessionId id;
  Stamper stamper{std::make_shared<sessile::testing::ManualClock>()};
};

/// Each allocation of `work` fails once, in a session of its own, which then has what it had or `after`, and
/// is written to further.
void fail_each_in_a_session(bool compacts, const SessionPlace::Texts& after, bool has_key,
                            const std::function<bool(SessionPlace&)>& work) {
  std::size_t failing = 0;
  StorePlace store;
  for (bool reached = true; reached; ++failing) {
    CAPTURE(failing);
    SessionPlace place(store.place, SessionId("s" + std::to_string(failing)));
    if (compacts) place.place.compaction.small_log_bytes = 0;
    const auto before = place.stored();
    bool threw = false;
    allocations.arm(failing);
    try {
      if (!work(place)) threw = true;
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    reached = allocations.disarm();
    REQUIRE((reached || !threw));
    auto expected = place.stored();
    // What is said to have failed has not happened.
    CHECK(expected == (threw ? before : after));
    if (threw || has_key) {
      REQUIRE(work(place));
      REQUIRE(place.stored() == after);
    }
    expected = after;
    expected.emplace_back("then");
    REQUIRE(place.append("then", ""));
    REQUIRE(place.stored() == expected);
    expected.emplace_back("updated");
    REQUIRE(place.update("updated"));
    REQUIRE(place.stored() == expected);
    expected.emplace_back("saved");
    REQUIRE(place.save(expected));
    REQUIRE(place.stored() == expected);
  }
  CHECK(failing > 20);
  store.check_sound();
}

/// How many copies of `bytes` a quarantine has. Each is whole, and has its reason.
std::size_t entries_of(const fs::path& quarantine, const std::string& bytes) {
  std::size_t whole = 0;
  std::size_t reasons = 0;
  if (!fs::exists(quarantine)) return 0;
  for (const auto& entry : fs::directory_iterator(quarantine)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".reason.json")) {
      ++reasons;
      continue;
    }
    INFO(name << " of " << entry.file_size() << " bytes");
    std::ifstream file(entry.path(), std::ios::binary);
    const bool is_whole = std::string(std::istreambuf_iterator<char>(file), {}) == bytes;
    CHECK(is_whole);
    if (is_whole) ++whole;
  }
  CHECK(reasons == whole);
  return whole;
}

/// Two jobs that want the lock at once. What was not done is told, and what was.
bool run_two_in_turn(Runner& runner, storage::AdvisoryLock& lock) {
  int worked = 0;
  int succeeded = 0;
  std::exception_ptr thrown;
  const auto job = [&worked](CommitGate&) { return ++worked, success(); };
  for (int i = 0; i < 2; ++i) {
    asio::co_spawn(runner.executor(), lock.run_locked<void>({}, job),
                   [&](std::exception_ptr failure, const Result<void>& done) {
                     if (failure) thrown = failure;
                     if (!failure && done) ++succeeded;
                   });
  }
  runner.finish();
  CHECK(worked == succeeded);
  if (thrown) std::rethrow_exception(thrown);
  return succeeded == 2;
}

}  // namespace

TEST_CASE("27 an allocation that fails while a session is encoded or decoded leaks nothing") {
  const Session session = sample();
  const std::string text = encode_document(session, AppendMemory());
  CHECK(fail_each([&] { return encode_document(session, AppendMemory()) == text; }) > 3);
  CHECK(fail_each([&] {
          auto decoded = decode_document(text, Limits());
          return decoded && decoded->session.messages.size() == 2;
        }) > 20);
  CHECK(fail_each([&] { return measure(session, Limits()).has_value(); }) < 1000);
  CHECK(fail_each([&] {
          return parse_json("[1,{\"a\":[2,3,\"text that is long enough to be allocated\"]}]", Origin::stored)
              .has_value();
        }) > 3);
}

TEST_CASE("27 an allocation that fails while a file is replaced leaves the old or the new one and no other") {
  const Files files;
  const std::string before(3000, 'o');
  const std::string after(3000, 'n');
  files.reset("file", before);
  const auto replace = [&] {
    CommitGate gate;
    return storage::replace_file(*files.open(), "file", after, Durability::power, gate).has_value();
  };
  const auto count = fail_each(replace, [&](bool done) {
    CHECK(files.read("file") == (done ? after : before));
    CHECK(files.names_but("file") == "");
    files.reset("file", before);
  });
  CHECK(count > 5);
}

TEST_CASE("27 an allocation that fails while a record is appended leaves a log that is whole") {
  const Files files;
  const std::string members = "\"type\":\"append\",\"text\":\"" + std::string(200, 't') + '"';
  const auto append = [&] {
    const auto root = files.open();
    auto log = storage::AppendLog::open_to_write(*root, "log");
    if (!log) return false;
    auto tail = log->tail(1 << 20);
    if (!tail) return false;
    CommitGate gate;
    return log->append(*tail, members, Durability::power, gate).has_value();
  };
  const std::string one = storage::frame_record(1, "\"type\":\"snapshot\"");
  for (const std::string& before : {one, one + storage::frame_record(2, members).substr(0, 99)}) {
    files.reset("log", before);
    const auto count = fail_each(append, [&](bool done) {
      const std::string now = files.read("log");
      const auto scan = storage::scan_log(now);
      REQUIRE(scan);
      CHECK(scan->records.size() == (done ? 2 : 1));
      CHECK((!scan->torn || now == before));
      CHECK(files.names_but("log") == "");
      files.reset("log", before);
    });
    CHECK(count > 5);
  }
}

TEST_CASE("27 an allocation that fails while a lock is taken or let go leaves it free") {
  const Files files;
  for (const auto primitive :
       {LockPrimitive::open_file_description, LockPrimitive::interprocess, LockPrimitive::flock}) {
    const auto take = [&] {
      Runner runner;
      storage::AdvisoryLock lock(files.open(), "x.lock", LockOptions().primitive(primitive),
                                 runner.executor());
      return run_two_in_turn(runner, lock) && runner.run(lock.acquire({})).has_value();
    };
    const auto count = fail_each(take, [&](bool) {
      CHECK(storage::LockQueueTable::instance().size() == 0);
      CHECK(files.open()->try_lock("x.lock", primitive).has_value());
      CHECK(files.names_but("x.lock") == "");
    });
    CHECK(count > 5);
  }
}

TEST_CASE("27 an allocation that fails while bytes are put into quarantine loses none of them") {
  const Files files;
  const std::string bytes(5000, 'b');
  files.reset("bad", bytes);
  const auto quarantine = [&] {
    const auto home = files.open();
    Finding finding(FindingKind::corrupt, "bad");
    return storage::Quarantine(*home).move(*home, "bad", finding).has_value();
  };
  const auto count = fail_each(quarantine, [&](bool done) {
    const std::size_t kept = entries_of(files.path() / storage::kQuarantine, bytes);
    const bool is_there = fs::exists(files.path() / "bad");
    CHECK(is_there != done);
    CHECK((is_there || kept == 1));
    files.reset("bad", bytes);
  });
  CHECK(count > 20);
}

TEST_CASE("27 an allocation that fails while a session is written leaves it whole and rightly remembered") {
  const SessionPlace::Texts more{"five", "six", "an added text that is too long for a small string"};
  for (const bool compacts : {false, true}) {
    CAPTURE(compacts);
    fail_each_in_a_session(compacts, more, false, [&more](SessionPlace& place) {
      return place.append(more.back(), "").has_value();
    });
    fail_each_in_a_session(compacts, more, true, [&more](SessionPlace& place) {
      return place.append(more.back(), "a key that is too long for a small string").has_value();
    });
    fail_each_in_a_session(compacts, more, false,
                           [&more](SessionPlace& place) { return place.save(more).has_value(); });
    fail_each_in_a_session(compacts, {"another"}, false,
                           [](SessionPlace& place) { return place.save({"another"}).has_value(); });
    fail_each_in_a_session(compacts, more, false,
                           [&more](SessionPlace& place) { return place.update(more.back()).has_value(); });
  }
}
