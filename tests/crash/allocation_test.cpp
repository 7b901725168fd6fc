// Every allocation of the codec, of the file primitives and of a session's writer fails once. A program of
// its own: it replaces operator new.
#include "backends/json_directory/layout.hpp"
#include "backends/json_directory/log_reading.hpp"
#include "backends/json_directory/session_log.hpp"
#include "simulated_file_system.hpp"
#include "storage/append_log.hpp"
#include "storage/log_replacement.hpp"
#include "storage/replace_file.hpp"
#include "subject.hpp"
#include "support/run.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/backend.hpp>
#include <sessile/json.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <new>

namespace {

/// One thread only.
class Allocations {
 public:
  bool armed = false;
  std::size_t made = 0;     // while armed
  std::size_t failing = 0;  // this one, from 0
  long live = 0;
};
Allocations allocations;

void* allocate(std::size_t size) {
  if (allocations.armed && allocations.made++ == allocations.failing) throw std::bad_alloc();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  ++allocations.live;
  return memory;
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  --allocations.live;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  release(memory);
}

namespace {

using namespace sessile;
using namespace sessile::crash;
using storage::CommitGate;

/// Runs `work` again and again, each time with another allocation failing, until it has enough. `work`
/// answers whether it succeeded; what it has allocated it must have freed. Returns how many allocations there
/// were.
std::size_t fail_each(const std::function<bool()>& work) {
  REQUIRE(work());  // what is made once in a process is made now
  for (std::size_t failing = 0;; ++failing) {
    bool threw = false;
    bool succeeded = false;
    const long before = allocations.live;
    allocations.made = 0;
    allocations.failing = failing;
    allocations.armed = true;
    try {
      succeeded = work();
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    allocations.armed = false;
    const bool reached = allocations.made > failing;
    const long leaked = allocations.live - before;
    CAPTURE(failing);
    CHECK(leaked == 0);
    if (reached) continue;
    CHECK_FALSE(threw);
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

/// What a disk that was written to with failing allocations holds.
std::string content_of(Machine& machine, const std::string& name) {
  auto root = machine.files()->open_directory("/").value();
  auto text = storage::read_file(*root, name, 1 << 20);
  return text ? *text : std::string();
}

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
    allocations.made = 0;
    allocations.failing = failing;
    allocations.armed = true;
    try {
      if (!work(place)) threw = true;
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    allocations.armed = false;
    reached = allocations.made > failing;
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
  Machine machine{Disk()};
  auto root = machine.files()->open_directory("/").value();
  const std::string before(3000, 'o');
  const std::string after(3000, 'n');
  for (const std::string& content : {before, after}) {
    const auto work = [&] {
      CommitGate gate;
      auto replaced = storage::replace_file(*root, "file", content, Durability::power, gate);
      return replaced.has_value();
    };
    // The disk of the simulation allocates too: what it keeps is no leak.
    REQUIRE(work());
    std::size_t failing = 0;
    for (bool reached = true; reached; ++failing) {
      allocations.made = 0;
      allocations.failing = failing;
      allocations.armed = true;
      try {
        static_cast<void>(work());
      } catch (const std::bad_alloc&) {
        // What the primitives throw, the store's operation turns into a Result.
      }
      allocations.armed = false;
      reached = allocations.made > failing;
      const std::string now = content_of(machine, "file");
      CAPTURE(failing);
      CHECK((now == before || now == after));
      CHECK(machine.open_files() == 0);
    }
    CHECK(failing > 5);
    CHECK(work());
    CHECK(content_of(machine, "file") == content);
  }
}

TEST_CASE("27 an allocation that fails while a record is appended leaves a log that is whole") {
  Machine machine{Disk()};
  auto root = machine.files()->open_directory("/").value();
  CommitGate made_gate;
  REQUIRE(storage::replace_log(*root, "log", 1, "\"type\":\"snapshot\"", Durability::power, made_gate));
  const std::string members = "\"type\":\"append\",\"text\":\"" + std::string(200, 't') + '"';
  const auto work = [&] {
    auto log = storage::AppendLog::open_to_write(*root, "log");
    if (!log) return false;
    auto tail = log->tail(1 << 20);
    if (!tail) return false;
    CommitGate gate;
    auto appended = log->append(*tail, members, Durability::power, gate);
    return appended.has_value();
  };
  std::size_t failing = 0;
  for (bool reached = true; reached; ++failing) {
    const std::string before = content_of(machine, "log");
    const auto records = storage::scan_log(before).value().records.size();
    allocations.made = 0;
    allocations.failing = failing;
    allocations.armed = true;
    try {
      static_cast<void>(work());
    } catch (const std::bad_alloc&) {
      // As above.
    }
    allocations.armed = false;
    reached = allocations.made > failing;
    const std::string after = content_of(machine, "log");
    auto scan = storage::scan_log(after);
    CAPTURE(failing);
    REQUIRE(scan);
    CHECK_FALSE(scan->torn);
    CHECK((scan->records.size() == records || scan->records.size() == records + 1));
    CHECK(machine.open_files() == 0);
  }
  CHECK(failing > 5);
  CHECK(work());
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
