// Two processes at one place.
#include "conformance/suite.hpp"

#include <sessile/blocking.hpp>

#include <charconv>
#include <future>
#include <set>
#include <sstream>
#include <thread>

namespace sessile::conformance {
namespace {

constexpr int kTimes = 60;
constexpr auto kWaitForPeer = std::chrono::seconds(30);

void increment(Session& session) {
  const json::value* counter = session.metadata.if_contains("counter");
  session.set_metadata("counter", counter ? counter->to_number<std::int64_t>() + 1 : 1);
}

Result<std::string> update_times(SessionStore& store, int times, const SessionId& id) {
  for (int i = 0; i < times; ++i) {
    Result<SessionPtr> updated = blocking::update(store, id, increment);
    if (!updated) return updated.error();
  }
  return std::string();
}

Result<std::string> append_times(SessionStore& store, int times, const SessionId& id) {
  for (int i = 0; i < times; ++i) {
    Result<Written> written = blocking::append(store, id, std::vector<Message>(1, Message("child", i)));
    if (!written) return written.error();
  }
  return std::string();
}

/// The numbers of the sessions that this process created, each followed by a space.
Result<std::string> create_all(SessionStore& store, int count, const std::string& prefix) {
  std::string won;
  for (int i = 0; i < count; ++i) {
    Result<Written> written =
        blocking::save(store, Session(prefix + std::to_string(i)), SaveOptions().if_absent());
    if (written) {
      won += std::to_string(i) + " ";
    } else if (written.error().code() != Errc::conflict) {
      return written.error();
    }
  }
  return won;
}

/// The other process, running. Its end is waited for on destruction.
class Peer {
 public:
  Peer(Context& c, std::string command, int times, const std::string& about)
      : done_(std::async(std::launch::async, [&c, command, times, about] {
          return c.second_process(command, {std::to_string(times), about});
        })) {}
  bool running() const { return done_.wait_for(std::chrono::seconds(0)) != std::future_status::ready; }
  std::string output() { return need("the second process", done_.get()); }

 private:
  std::future<Result<std::string>> done_;
};

void updates(Context& c) {
  c.need_second_process();
  Subject& store = c.open();
  const Session session = c.saved(store);
  Peer peer(c, "update", kTimes, session.id.str());
  int own = 0;
  do {
    c.get("update beside another process", store.update(session.id, increment));
  } while (++own < kTimes || peer.running());
  peer.output();
  same_json("the counter after the updates of two processes",
            c.load(store, session.id).metadata.at("counter"), own + kTimes);
}

void appends(Context& c) {
  c.need_second_process();
  Subject& store = c.open();
  const Session session = c.saved(store);
  Peer peer(c, "append", kTimes, session.id.str());
  int own = 0;
  do {
    c.get("append beside another process", store.append(session.id, Message("parent", own)));
  } while (++own < kTimes || peer.running());
  peer.output();
  int children = 0, parents = 0;
  for (const Message& message : c.load(store, session.id).messages) {
    if (message.role == "child") same_json("the child's next message", message.content, children++);
    if (message.role == "parent") same_json("the parent's next message", message.content, parents++);
  }
  expect_equal("messages of the second process", children, kTimes);
  expect_equal("messages of this process", parents, own);
}

/// Tries to create the sessions `last` down to `first`, and notes the numbers of those it created.
void create_down(Context& c, Subject& store, const SessionId& prefix, int last, int first,
                 std::multiset<int>& winners) {
  for (int i = last; i >= first; --i) {
    const SessionId id = c.exactly(prefix.str() + std::to_string(i));
    const Result<Written> written = c.run(store.save(Session(id), SaveOptions().if_absent()));
    if (written) {
      winners.insert(i);
    } else {
      refused("creating what another process created", Errc::conflict, written);
    }
  }
}

/// The other process goes up from 0. The last quarter is there before it starts; for the others both race.
void create_race(Context& c) {
  c.need_second_process();
  Subject& store = c.open();
  const SessionId prefix = c.id("race");
  constexpr int kThere = kTimes / 4 * 3;
  std::multiset<int> winners;
  create_down(c, store, prefix, kTimes - 1, kThere, winners);
  Peer peer(c, "create", kTimes, prefix.str());
  const auto end = std::chrono::steady_clock::now() + kWaitForPeer;
  while (peer.running() && !c.run(store.load(prefix)).has_value() && std::chrono::steady_clock::now() < end) {
  }
  create_down(c, store, prefix, kThere - 1, 0, winners);
  std::istringstream others(peer.output());
  for (int number = 0; others >> number;)
    winners.insert(number);
  for (int i = 0; i < kTimes; ++i) {
    expect_equal("how many processes created session " + std::to_string(i), winners.count(i), 1u);
  }
}

}  // namespace

std::vector<Entry> processes_behaviours() {
  return {
      {"processes.updates", "Updates of two processes lose nothing of each other", updates},
      {"processes.appends", "Appends of two processes lose nothing of each other", appends},
      {"processes.create_race", "Of two processes that create one session exactly one succeeds", create_race},
  };
}

Result<std::string> second_process_main(StorePtr store, std::string command,
                                        std::vector<std::string> arguments) {
  int times = 0;
  if (arguments.size() == 2) {
    std::from_chars(arguments[0].data(), arguments[0].data() + arguments[0].size(), times);
  }
  if (times <= 0) return Error(Errc::invalid_argument, "a command takes a number and an id");
  if (command == "update") return update_times(*store, times, arguments[1]);
  if (command == "append") return append_times(*store, times, arguments[1]);
  if (command != "create") return Error(Errc::invalid_argument, "the commands are update, append and create");
  Result<Written> ready = blocking::save(*store, Session(arguments[1]), SaveOptions().if_absent());
  if (!ready) return ready.error();
  return create_all(*store, times, arguments[1]);
}

}  // namespace sessile::conformance
