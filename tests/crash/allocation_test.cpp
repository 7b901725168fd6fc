// Every allocation of the codec and of the file primitives fails once. A program of its own: it replaces
// operator new.
#include "simulated_file_system.hpp"
#include "storage/append_log.hpp"
#include "storage/replace_file.hpp"
#include "subject.hpp"

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
