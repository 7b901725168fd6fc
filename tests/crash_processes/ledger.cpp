#include "crash_processes/ledger.hpp"

#include "support/sound.hpp"

#include <sessile/backend.hpp>
#include <sessile/blocking.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace sessile::crash {
namespace {

constexpr const char* kShared = "shared";
constexpr auto kPatience = std::chrono::seconds(20);

std::string text_of(std::uint64_t operation) {
  // Now and then a large one, so that logs are rewritten; its end tells a torn one.
  const std::size_t size = operation % 7 == 3 ? 14'000 : operation % 100;
  return std::to_string(operation) + ":" + std::string(size, static_cast<char>('a' + operation % 26)) + ";";
}

Message message_of(std::uint64_t operation) {
  return Message(operation % 5 == 0 ? "user" : "assistant", json::string(text_of(operation)));
}

std::uint64_t number_in(const Message& message) {
  const std::string text(message.content.as_string());
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (text != text_of(number)) throw std::runtime_error("a message is not what anybody wrote: it is torn");
  return number;
}

Session session_of(const SessionId& id, const Expected& expected) {
  Session session(id);
  session.set_agent("agent-" + std::to_string(expected.base % 2));
  session.set_metadata("base", expected.base);
  for (const std::uint64_t operation : expected.messages)
    session.add_message(message_of(operation));
  return session;
}

Expected found_in(const Session& session) {
  Expected found;
  found.present = true;
  found.base = session.metadata.at("base").to_number<std::uint64_t>();
  for (const Message& message : session.messages)
    found.messages.push_back(number_in(message));
  if (session.agent_id != AgentId("agent-" + std::to_string(found.base % 2))) {
    throw std::runtime_error("the session is a mixture: its agent is of another write");
  }
  return found;
}

std::string text(const Expected& state) {
  if (!state.present) return "absent";
  std::ostringstream out;
  out << state.base << ":";
  for (const std::uint64_t operation : state.messages)
    out << " " << operation;
  return out.str();
}

std::string shared_text(int writer, std::uint64_t append) {
  return std::to_string(writer) + "/" + std::to_string(append);
}

/// A dead writer leaves remains, and never damage; once they are swept nothing is left to say.
std::string check_remains(SessionStore& store) {
  testing::FindingKinds remains = testing::remains_of_the_dead();
  remains.push_back(FindingKind::unsynced);  // where the power went in the middle of a sync
  const auto repaired = blocking::verify(store, VerifyOptions().repair());
  if (auto faults = testing::faults_in(repaired, remains); !faults.empty()) return faults;
  const auto faults = testing::faults_in(blocking::verify(store));
  return faults.empty() ? faults : "after a repair: " + faults;
}

}  // namespace

void Ledger::accuse(const std::string& what) noexcept {
  if (told_.exchange(true)) return;
  std::strncpy(text_.data(), what.c_str(), text_.size() - 1);
}

std::string Ledger::fault() const {
  return text_.data();
}

void Acknowledged::put_back(Account& account) const noexcept {
  if (account.acknowledged != operations) account.revision = kUnknownRevision;
  account.acknowledged = operations;
  account.appends_acknowledged = appends;
}

Writer::Writer(StorePtr store, Ledger& ledger, std::uint64_t seed, int number)
    : store_(std::move(store)),
      ledger_(ledger),
      account_(ledger.accounts.at(static_cast<std::size_t>(number))),
      seed_(seed),
      number_(number) {}

SessionId Writer::id() const {
  return SessionId("own-" + std::to_string(number_));
}

std::uint64_t Writer::mixed(std::uint64_t operation) const {
  std::uint64_t x =
      seed_ * 0x9E3779B97F4A7C15U + operation * 0xBF58476D1CE4E5B9U + static_cast<unsigned>(number_);
  x ^= x >> 31U;
  x *= 0x94D049BB133111EBU;
  return x ^ x >> 29U;
}

Step Writer::step(std::uint64_t operation, const Expected& before) const {
  if (!before.present) return Step::create;
  const auto dice = mixed(operation) % 100;
  if (dice < 45) return Step::append;
  if (dice < 55) return Step::keyed_append;
  if (dice < 72) return Step::update;
  if (dice < 90) return Step::save;
  return Step::remove;
}

Expected Writer::after(std::uint64_t operation, Expected before) const {
  switch (step(operation, before)) {
    case Step::remove:
      return Expected();
    case Step::create:
    case Step::save:
      before.messages = {operation};
      before.base = operation;
      before.present = true;
      return before;
    case Step::update:
      before.base = operation;
      return before;
    case Step::append:
    case Step::keyed_append:
      before.messages.push_back(operation);
      // Two a call: they land together or not at all.
      before.messages.push_back(operation + 1);
      return before;
  }
  return before;
}

Expected Writer::expected(std::uint64_t operations) const {
  Expected state;
  for (std::uint64_t operation = 1; operation <= operations; ++operation)
    state = after(operation, std::move(state));
  return state;
}

/// Returns the revision afterwards; 0 of a removal.
Result<std::uint64_t> Writer::perform(std::uint64_t operation, const Expected& before) {
  const Expected next = after(operation, before);
  const Step what = step(operation, before);
  if (what == Step::remove) {
    if (auto removed = blocking::remove(*store_, id()); !removed) return removed.error();
    return std::uint64_t{0};
  }
  if (what == Step::update) {
    const Mutation change([&](Session& session) { session = session_of(session.id, next); });
    auto updated = blocking::update(*store_, id(), change);
    if (!updated) return updated.error();
    return (*updated)->revision;
  }
  const auto written = what == Step::append || what == Step::keyed_append
                           ? append(operation, what == Step::keyed_append)
                           : save(next, what == Step::create);
  if (!written) return written.error();
  return written->revision;
}

Result<Written> Writer::save(const Expected& next, bool creates) {
  SaveOptions options;
  if (creates) options.if_absent();
  return blocking::save(*store_, session_of(id(), next), options);
}

Result<Written> Writer::append(std::uint64_t operation, bool keyed) {
  AppendOptions options;
  if (keyed) options.idempotency_key("key " + std::to_string(operation));
  return blocking::append(*store_, id(), {message_of(operation), message_of(operation + 1)}, options);
}

bool Writer::failed(const std::string& what, const Error& error) {
  if (!ledger_.power_is_gone) {
    ledger_.accuse("writer " + std::to_string(number_) + ": " + what + ": " + error.message());
  }
  return false;
}

/// An append that was begun by a life before is made again under its key.
bool Writer::append_to_shared() {
  const std::uint64_t next = account_.appends_acknowledged + 1;
  // Of a life before more may have been begun: what it was told after the power went was put back.
  account_.appends_started = std::max<std::uint64_t>(account_.appends_started, next);
  AppendOptions options;
  options.idempotency_key(shared_text(number_, next));
  const std::vector<Message> messages(1, Message("user", json::string(shared_text(number_, next))));
  auto written = blocking::append(*store_, SessionId(kShared), messages, options);
  if (!written && written.error().code() == Errc::not_found) {
    auto made = blocking::save(*store_, Session(SessionId(kShared)), SaveOptions().if_absent());
    if (!made && made.error().code() != Errc::conflict) return failed("create", made.error());
    written = blocking::append(*store_, SessionId(kShared), messages, options);
  }
  if (!written) return failed("append to the shared session", written.error());
  account_.appends_acknowledged = next;
  return true;
}

bool Writer::work(std::uint64_t most) {
  Expected state = expected(account_.acknowledged);
  for (; most > 0; --most) {
    const std::uint64_t operation = account_.acknowledged + 1;
    account_.started = operation;
    auto revision = perform(operation, state);
    if (!revision) return failed("operation " + std::to_string(operation), revision.error());
    account_.revision = *revision;
    account_.acknowledged = operation;
    state = after(operation, std::move(state));
    if (mixed(operation) % 3 == 0 && !append_to_shared()) return false;
  }
  return true;
}

std::string Writer::settle() {
  const std::uint64_t acknowledged = account_.acknowledged;
  const std::uint64_t started = account_.started;
  const auto loaded = blocking::load(*store_, id());
  Expected found;
  Revision revision = 0;
  if (loaded) {
    found = found_in(**loaded);
    revision = (*loaded)->revision;
  } else if (loaded.error().code() != Errc::not_found) {
    return "after a kill: " + loaded.error().message();
  }
  for (std::uint64_t done = acknowledged; done <= started; ++done) {
    if (found != expected(done)) continue;
    const std::uint64_t known = account_.revision;
    if (done == acknowledged && known != kUnknownRevision && revision != known) {
      return "an acknowledged write's revision is another one now";
    }
    account_.acknowledged = done;
    account_.started = done;
    account_.revision = revision;
    return {};
  }
  return "writer " + std::to_string(number_) + ": found " + text(found) + ", but operation " +
         std::to_string(acknowledged) + " was acknowledged: " + text(expected(acknowledged)) + ", and " +
         std::to_string(started) + " begun: " + text(expected(started));
}

std::string check_shared(SessionStore& store, const Ledger& ledger, int writers) {
  std::map<int, std::uint64_t> last;
  std::map<int, std::size_t> last_at;
  const auto loaded = blocking::load(store, SessionId(kShared));
  if (!loaded && loaded.error().code() != Errc::not_found)
    return "the shared session: " + loaded.error().message();
  if (loaded) {
    const auto& messages = (*loaded)->messages;
    for (std::size_t at = 0; at < messages.size(); ++at) {
      const std::string found(messages[at].content.as_string());
      const int writer = std::stoi(found);
      const std::size_t before = std::exchange(last_at[writer], at);
      // A writer that came to its next append only after so many others did may do it twice.
      const bool forgotten = at - before > kRememberedAppends;
      if (forgotten && found == shared_text(writer, last[writer])) continue;
      if (found != shared_text(writer, ++last[writer])) {
        return "the shared session: " + found + " where " + shared_text(writer, last[writer]) +
               " was expected, " + std::to_string(at - before) + " messages after that writer's last";
      }
    }
  }
  for (int writer = 0; writer < writers; ++writer) {
    const Account& account = ledger.accounts.at(static_cast<std::size_t>(writer));
    if (last[writer] < account.appends_acknowledged || last[writer] > account.appends_started) {
      return "the shared session has " + std::to_string(last[writer]) + " appends of writer " +
             std::to_string(writer) + ", acknowledged were " + std::to_string(account.appends_acknowledged) +
             ", begun " + std::to_string(account.appends_started);
    }
  }
  return {};
}

std::string check_listed(SessionStore& store) {
  const auto page = blocking::list(store, ListQuery().limit(kMaxPageSize));
  if (!page) return "list: " + page.error().message();
  if (!page->unreadable.empty()) return "unreadable: " + page->unreadable.front().message();
  for (const SessionSummary& summary : page->items) {
    const auto indexed = blocking::list(store, ListQuery().agent(summary.agent_id));
    if (!indexed) return "list by agent: " + indexed.error().message();
    const auto is_it = [&summary](const SessionSummary& other) { return other.id == summary.id; };
    if (std::none_of(indexed->items.begin(), indexed->items.end(), is_it)) {
      return summary.id.str() + " is not listed under its agent";
    }
  }
  return {};
}

std::string check_store(SessionStore& store) {
  if (auto fault = check_remains(store); !fault.empty()) return fault;
  if (auto fault = check_listed(store); !fault.empty()) return fault;
  const auto page = blocking::list(store, ListQuery().limit(kMaxPageSize));
  if (!page) return "list: " + page.error().message();
  for (const SessionSummary& summary : page->items) {
    const Mutation touch([](Session& session) { session.set_metadata("touched", true); });
    const auto updated = blocking::update(store, summary.id, touch, UpdateOptions().timeout(kPatience));
    if (!updated) return "a write afterwards: " + updated.error().message();
  }
  return check_listed(store);
}

}  // namespace sessile::crash
