#include "json_directory_fixture.hpp"
#include "own_child.hpp"

#include "backends/json_directory/layout.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <utility>

namespace sessile::json_directory {
namespace {

using testing::conversation;
using testing::Fixture;
using testing::os_error;
namespace errc = boost::system::errc;

/// The process dies at the entry of its n-th call that changes something: nothing after it happens.
class Death {
 public:
  Death(Fixture& fixture, int after) : fixture_(fixture) {
    fixture.faults->before = [this, after](const std::string&, const std::string&) {
      return calls++ >= after ? os_error(errc::io_error) : boost::system::error_code();
    };
  }
  ~Death() { fixture_.faults->before = nullptr; }
  Death(const Death&) = delete;
  Death& operator=(const Death&) = delete;
  int calls = 0;

 private:
  Fixture& fixture_;
};

/// Lists agree with what is loaded: each session under its agent, and under no other.
void check_listings(Fixture& f) {
  f.reopen();
  const auto all = f.list();
  CHECK(all.unreadable.empty());
  std::size_t by_agent = 0;
  for (const std::string agent : {"a", "b"}) {
    for (const SessionSummary& summary : f.list_agent(agent).items) {
      CHECK(summary.agent_id == AgentId(agent));
      CHECK(f.load(summary.id.str()).value()->agent_id == AgentId(agent));
      ++by_agent;
    }
  }
  CHECK(by_agent == all.items.size());
}

}  // namespace

TEST_CASE("A session whose creation is cut off at any call is whole or absent") {
  for (int after = 0;; ++after) {
    Fixture f;
    CAPTURE(after);
    bool acknowledged = false;
    int calls = 0;
    {
      Death death(f, after);
      acknowledged = f.save(conversation("s", "a", 2)).has_value();
      calls = death.calls;
    }
    check_listings(f);
    const auto loaded = f.load("s");
    CHECK((loaded || loaded.error().code() == Errc::not_found));
    if (acknowledged) CHECK(loaded);
    if (loaded) CHECK((*loaded)->messages.size() == 2);
    REQUIRE(f.save(conversation("s", "b", 3)));
    check_listings(f);
    CHECK(f.load("s").value()->messages.size() == 3);
    if (calls <= after) break;
  }
}

TEST_CASE("A session that moves to another agent is under one of them, wherever the move is cut off") {
  for (int after = 0;; ++after) {
    Fixture f;
    CAPTURE(after);
    REQUIRE(f.save(conversation("s", "a", 2)));
    bool acknowledged = false;
    int calls = 0;
    {
      Death death(f, after);
      acknowledged = f.save(conversation("s", "b", 2)).has_value();
      calls = death.calls;
    }
    check_listings(f);
    CHECK(f.list().items.size() == 1);
    if (acknowledged) CHECK(f.load("s").value()->agent_id == AgentId("b"));
    if (calls > after) continue;
    CHECK_FALSE(f.indexed("a", "s"));
    break;
  }
}

TEST_CASE("A removal that is cut off at any call has happened or not") {
  for (int after = 0;; ++after) {
    Fixture f;
    CAPTURE(after);
    REQUIRE(f.save(conversation("s", "a", 2)));
    bool acknowledged = false;
    int calls = 0;
    {
      Death death(f, after);
      acknowledged = blocking::remove(*f.store, "s").has_value();
      calls = death.calls;
    }
    check_listings(f);
    if (acknowledged) CHECK(f.load("s").error().code() == Errc::not_found);
    if (calls <= after) break;
  }
}

TEST_CASE("An append or compaction that is cut off at any call keeps all that was acknowledged") {
  for (const std::size_t size : {100, 200000}) {
    for (int after = 0;; ++after) {
      Fixture f;
      CAPTURE(after);
      CAPTURE(size);
      REQUIRE(f.save(conversation("s", "a", 1, size)));
      for (int i = 0; size > 1000 && i < 2; ++i) {
        Session changed = *f.load("s").value();
        changed.messages[0].content = std::string(size, static_cast<char>('a' + i));
        REQUIRE(f.save(changed));
      }
      f.faults->longest_write = 64;
      bool acknowledged = false;
      int calls = 0;
      {
        Death death(f, after);
        acknowledged = f.append("s", std::string(200, 'x')).has_value();
        calls = death.calls;
      }
      f.faults->longest_write = SIZE_MAX;
      check_listings(f);
      const std::size_t messages = f.load("s").value()->messages.size();
      CHECK((acknowledged ? messages == 2 : messages >= 1));
      REQUIRE(f.append("s", "next"));
      CHECK(f.load("s").value()->messages.size() == messages + 1);
      if (calls <= after) break;
      if (after > 30) after += 97;
    }
  }
}

TEST_CASE("After a failed sync the outcome is unknown, and the next write makes a new file") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 1)));
  REQUIRE(f.append("s", "settled"));
  const auto before = f.store;
  f.faults->before = [](const std::string& call, const std::string& name) {
    return call == "sync" && name == "s.jsonl" ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.append("s", "unknown").error().code() == Errc::indeterminate);
  // Any sync of that file still fails: a write that retried it would too.
  f.reopen();
  REQUIRE(f.append("s", "next"));
  f.faults->before = nullptr;
  const auto loaded = f.load("s").value();
  CHECK(loaded->messages.back().content == json::value("next"));
  CHECK(loaded->messages.size() == 4);
  REQUIRE(f.append("s", "after"));
}

TEST_CASE("A repeated append under its key is as durable as it says") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "a", 1)));
  const auto keyed = AppendOptions().idempotency_key("k");
  REQUIRE(f.append("s", "once", AppendOptions(keyed).durability(Durability::process)));
  int syncs = 0;
  const auto count = [&](const std::string& call, const std::string& name) {
    syncs += call == "sync" && name == "s.jsonl";
    return boost::system::error_code();
  };
  const auto fail = [](const std::string& call, const std::string& name) {
    return call == "sync" && name == "s.jsonl" ? os_error(errc::io_error) : boost::system::error_code();
  };
  // Another process wrote the first, and may have been killed before it had synced.
  f.reopen();
  f.faults->before = count;
  CHECK(f.append("s", "once", keyed).value().replayed);
  CHECK(syncs == 1);
  // The first one's sync failed: what the log holds may be lost, and a second sync would not say so.
  const auto other = AppendOptions().idempotency_key("other");
  f.faults->before = fail;
  CHECK(f.append("s", "unsynced", other).error().code() == Errc::indeterminate);
  const auto before = std::filesystem::hard_link_count(f.log("s"));
  std::filesystem::create_hard_link(f.log("s"), f.place.path() / "poisoned");
  CHECK(f.append("s", "unsynced", other).value().replayed);
  f.faults->before = nullptr;
  // It is in a new file now.
  CHECK(std::filesystem::hard_link_count(f.log("s")) == before);
  CHECK(f.load("s").value()->messages.size() == 3);
}

TEST_CASE("A write that finds no room leaves the session as it was") {
  for (const std::string failing : {"write", "create", "sync"}) {
    Fixture f;
    REQUIRE(f.save(conversation("s", "a", 1)));
    const std::string bytes = f.content("s");
    f.faults->before = [&](const std::string& call, const std::string&) {
      return call == failing ? os_error(errc::no_space_on_device) : boost::system::error_code();
    };
    CHECK(f.save(conversation("t", "a", 1)).error().code() == Errc::unavailable);
    if (failing == "write") {
      CHECK(f.append("s", "x").error().code() == Errc::unavailable);
      CHECK(f.save(conversation("s", "a", 5)).error().code() == Errc::unavailable);
    }
    f.faults->before = nullptr;
    CHECK(f.load("s").value()->messages.size() == 1);
    CHECK(f.load("t").error().code() == Errc::not_found);
    CHECK(f.list().items.size() == 1);
  }
}

TEST_CASE("Writes that promise less sync nothing, and a later one or flush makes up for it") {
  for (const bool by_flush : {false, true}) {
    Fixture f;
    REQUIRE(f.save(conversation("first", "x", 1)));
    std::vector<std::string> synced;
    f.faults->before = [&](const std::string& call, const std::string& name) {
      if (call.starts_with("sync")) synced.push_back(name);
      return boost::system::error_code();
    };
    const SaveOptions weak = SaveOptions().durability(Durability::process);
    REQUIRE(f.save(conversation("s", "x", 1), weak));
    REQUIRE(f.append("s", "more", AppendOptions().durability(Durability::process)));
    CHECK(synced.empty());
    if (by_flush) {
      REQUIRE(blocking::flush(*f.store));
    } else {
      REQUIRE(f.append("s", "strong"));
    }
    for (const std::string name : {"s.jsonl", "sessions", "x"}) {
      CAPTURE(name);
      // By a write the log is synced before it as well: what was promised less must not be lost from the
      // middle.
      CHECK(std::count(synced.begin(), synced.end(), name) == (name == "s.jsonl" && !by_flush ? 2 : 1));
    }
    synced.clear();
    REQUIRE(blocking::flush(*f.store));
    if (by_flush) CHECK(synced.empty());
  }
}

TEST_CASE("A flush makes sure of a write of which it was not known whether it would last") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "x", 1)));
  f.faults->before = [](const std::string& call, const std::string& name) {
    return call == "sync_directory" && name == "sessions" ? os_error(errc::io_error)
                                                          : boost::system::error_code();
  };
  CHECK(blocking::remove(*f.store, "s").error().code() == Errc::indeterminate);
  int synced = 0;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    synced += call == "sync_directory" && name == "sessions";
    return boost::system::error_code();
  };
  REQUIRE(blocking::flush(*f.store));
  CHECK(synced == 1);
  f.faults->before = nullptr;
}

TEST_CASE("A record that its writer may not have synced is synced before the next one is written") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "x", 2)));
  REQUIRE(f.append("s", "ours"));
  // As by a process that is killed before its sync.
  const auto other = make_json_directory_store(f.root(), LockOptions(), OpenOptions()).value();
  const auto unsynced = AppendOptions().durability(Durability::process);
  REQUIRE(blocking::append(*other, "s", {Message("assistant", json::value("theirs"))}, unsynced));
  std::vector<std::string> calls;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (name == "s.jsonl") calls.push_back(call);
    return boost::system::error_code();
  };
  REQUIRE(f.append("s", "ours"));
  CHECK(calls == std::vector<std::string>{"sync", "write", "sync"});
  calls.clear();
  REQUIRE(f.append("s", "ours"));
  CHECK(calls == std::vector<std::string>{"write", "sync"});
  f.faults->before = nullptr;
}

/// A log whose last record, an append of 100 KB into the padding, begins 100 bytes before the end of a
/// sector. Returns where that is.
std::size_t write_large_records(Fixture& f, const Message& last) {
  const auto build = [&f](std::size_t size) {
    f.reopen();
    REQUIRE(f.save(conversation("s", "x", 1)));
    REQUIRE(f.append("s", std::string(size, 'f')));
    return storage::scan_log(f.content("s")).value().end;
  };
  const std::size_t end = build(100'000);
  REQUIRE(blocking::remove(*f.store, "s"));
  const std::size_t at = build(100'000 + (412 + 512 - end % 512) % 512);
  REQUIRE(at % 512 > 380);
  const std::size_t size = f.content("s").size();
  REQUIRE(blocking::append(*f.store, "s", {last}));
  REQUIRE(f.content("s").size() == size);
  return at;
}

TEST_CASE("A torn record of any size is passed over by readers and cut by the next write") {
  const Message large("assistant", json::value(std::string(100'000, 'l')));
  // As long as a record that ends there says it is.
  const Message sly("assistant", json::value{{"text", std::string(90'000, 't')}, {"len", "0000070000"}});
  using Tear = std::function<void(std::string&, std::size_t)>;
  const auto lose = [](std::string& log, std::size_t from, std::size_t to) {
    log.replace(from, to - from, to - from, '\n');
  };
  const std::vector<std::pair<Message, Tear>> tears{
      {large, [&](std::string& log, std::size_t at) { lose(log, at, at / 512 * 512 + 512); }},
      {large,
       [&](std::string& log, std::size_t at) { lose(log, at / 512 * 512 + 512, at / 512 * 512 + 1024); }},
      {large,
       [&](std::string& log, std::size_t at) {
         lose(log, at + 50'000 - (at + 50'000) % 512, at + 60'000 - (at + 60'000) % 512);
       }},
      {sly,
       [&](std::string& log, std::size_t at) { lose(log, log.find("0000070000", at) + 12, log.size()); }},
  };
  using Write = std::function<bool(SessionStore&)>;
  const std::vector<Write> writes{
      [](SessionStore& store) { return blocking::append(store, "s", {Message("user", "more")}).has_value(); },
      [](SessionStore& store) { return blocking::save(store, conversation("s", "x", 3)).has_value(); },
      [](SessionStore& store) {
        const auto change = [](Session& session) { session.title = "t"; };
        return blocking::update(store, "s", change).has_value();
      },
      [](SessionStore& store) { return blocking::remove(store, "s").has_value(); },
  };
  for (std::size_t tear = 0; tear < tears.size(); ++tear) {
    CAPTURE(tear);
    Fixture f;
    const std::size_t at = write_large_records(f, tears[tear].first);
    std::string log = f.content("s");
    tears[tear].second(log, at);
    for (std::size_t write = 0; write < writes.size(); ++write) {
      CAPTURE(write);
      f.put("s", log);
      f.reopen();
      REQUIRE(f.load("s"));
      CHECK(f.load("s").value()->messages.size() == 2);
      CHECK(f.list().items.size() == 1);
      f.reopen();
      CHECK(writes[write](*f.store));
      f.reopen();
      const auto after = f.load("s");
      CHECK(after.has_value() == (write < 3));
      if (after) CHECK(storage::scan_log(f.content("s")).value().torn == false);
    }
  }
}

TEST_CASE("A flush beside another one does not say that all is durable before it is") {
  Fixture f;
  REQUIRE(f.save(conversation("s", "x", 1)));
  REQUIRE(f.append("s", "more", AppendOptions().durability(Durability::process)));
  std::promise<void> syncing;
  std::promise<void> second_asked;
  bool first_sync = true;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (call != "sync" || name != "s.jsonl" || !std::exchange(first_sync, false)) {
      return boost::system::error_code();
    }
    syncing.set_value();
    second_asked.get_future().wait();
    return os_error(errc::io_error);
  };
  auto first = std::async(std::launch::async, [&] { return blocking::flush(*f.store); });
  syncing.get_future().wait();
  auto second = std::async(std::launch::async, [&] { return blocking::flush(*f.store); });
  const bool too_early = second.wait_for(std::chrono::milliseconds(200)) == std::future_status::ready;
  second_asked.set_value();
  CHECK_FALSE(too_early);
  CHECK(first.get().error().code() == Errc::indeterminate);
  // It wrote the log anew.
  CHECK(second.get());
  CHECK(f.load("s").value()->messages.size() == 2);
}

constexpr int kProcesses = 4;
constexpr int kAppends = 100;

// The child of the test below: run only by it, in a process of its own.
TEST_CASE("child: appends to one session" * doctest::skip()) {
  const char* root = std::getenv("SESSILE_TEST_ROOT");
  REQUIRE(root);
  const std::string self = std::getenv("SESSILE_TEST_SELF");
  auto store = make_json_directory_store(root, LockOptions().timeout(std::chrono::minutes(5))).value();
  for (int i = 0; i < kAppends; ++i) {
    const Message message("user", json::value(self + " " + std::to_string(i)));
    REQUIRE(blocking::append(*store, "shared", {message}, AppendOptions().durability(Durability::process)));
  }
}

TEST_CASE("O7 several processes that append to one session lose nothing, while others read it") {
  Fixture f;
  REQUIRE(f.save(conversation("shared", "a", 0)));
  ::setenv("SESSILE_TEST_ROOT", f.root().c_str(), 1);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    ::setenv("SESSILE_TEST_SELF", std::to_string(i).c_str(), 1);
    children.push_back(testing::start_own_child("child: appends*"));
  }
  std::size_t seen = 0;
  while (!children.empty()) {
    const auto loaded = f.load("shared");
    REQUIRE(loaded);
    CHECK((*loaded)->messages.size() >= seen);
    seen = (*loaded)->messages.size();
    const auto page = f.list();
    CHECK(page.unreadable.empty());
    REQUIRE(page.items.size() == 1);
    int status = 0;
    if (::waitpid(children.back(), &status, WNOHANG) == 0) continue;
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    children.pop_back();
  }
  std::map<std::string, int> next;
  const auto loaded = f.load("shared").value();
  CHECK(loaded->messages.size() == kProcesses * kAppends);
  for (const Message& message : loaded->messages) {
    const std::string text(message.content.as_string().c_str());
    const std::size_t space = text.find(' ');
    CHECK(std::stoi(text.substr(space)) == next[text.substr(0, space)]++);
  }
  CHECK(next.size() == kProcesses);
}

}  // namespace sessile::json_directory
