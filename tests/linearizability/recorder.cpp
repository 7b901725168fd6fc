#include "linearizability/recorder.hpp"

#include <sessile/blocking.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <random>
#include <stdexcept>
#include <thread>

#include <unistd.h>

namespace sessile::linearizability {
namespace {

constexpr int kTagsPerClient = 1000;
constexpr int kKeys = 3;
constexpr int kFirstKeyTag = 900'000;

/// Shared by the coroutines of one process.
class Journal {
 public:
  Journal(const Round& round, int process, int descriptor)
      : round_(round), process_(process), descriptor_(descriptor) {}

  const Round& round() const noexcept { return round_; }
  int process() const noexcept { return process_; }

  int invoked(Operation& operation) {
    const int number = next_++;
    operation.invoked = monotonic_now();
    write(invocation_line(number, operation));
    return number;
  }
  void returned(int number, Operation& operation) {
    operation.returned = monotonic_now();
    write(return_line(number, operation));
  }
  void bad(const std::string& what) const { write("bad " + what + "\n"); }

 private:
  // One call a line: a killed process leaves whole ones, and what it wrote stays.
  void write(const std::string& line) const {
    if (::write(descriptor_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
  }
  const Round round_;
  const int process_;
  const int descriptor_;
  std::atomic<int> next_{0};
};

std::string message_text(int tag, bool large) {
  const auto number = static_cast<std::size_t>(std::abs(tag));
  const std::size_t size = large ? 3000 + number * 7919 % 9000 : number % 40;
  return std::to_string(tag) + ":" + std::string(size, static_cast<char>('a' + number % 26));
}

Message message(int tag, bool large) {
  return Message(tag % 3 == 0 ? "user" : "assistant", json::string(message_text(tag, large)));
}

Session session_of(const SessionId& id, const Content& content, bool large) {
  Session session(id);
  session.set_agent(content.base % 2 == 0 ? "even" : "odd");
  session.set_metadata("tag", content.base);
  for (const int tag : content.messages)
    session.add_message(message(tag, large));
  return session;
}

/// Throws when it is not what somebody wrote: a mixture of two writes, or a torn one.
Content content_of(const Session& session, bool large) {
  Content content;
  content.base = static_cast<int>(session.metadata.at("tag").to_number<int>());
  for (const Message& stored : session.messages) {
    const std::string text(stored.content.as_string());
    int tag = 0;
    std::from_chars(text.data(), text.data() + text.size(), tag);
    if (text != message_text(tag, large)) throw std::runtime_error("a message that nobody wrote");
    content.messages.push_back(tag);
  }
  if (session.agent_id != AgentId(content.base % 2 == 0 ? "even" : "odd")) {
    throw std::runtime_error("the agent is of another write than the metadata");
  }
  return content;
}

class Failure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

void settle(Operation& operation, const Error& error) {
  switch (error.code()) {
    case Errc::not_found:
      operation.outcome = Outcome::not_found;
      return;
    case Errc::conflict:
      operation.outcome = Outcome::conflict;
      operation.actual = error.actual();
      return;
    case Errc::timed_out:
    case Errc::locked:
      operation.outcome = Outcome::nothing;
      return;
    case Errc::indeterminate:
      operation.outcome = Outcome::unknown;
      return;
    default:
      throw Failure(operation.text() + ": " + error.message());
  }
}

void settle(Operation& operation, const Result<Written>& result) {
  if (!result) return settle(operation, result.error());
  operation.outcome = Outcome::ok;
  operation.revision = result->revision;
  operation.replayed = result->replayed;
}

void settle(Operation& operation, const Result<void>& result) {
  if (!result) return settle(operation, result.error());
  operation.outcome = Outcome::ok;
}

void settle(Operation& operation, const Result<SessionPtr>& result, bool large) {
  if (!result) return settle(operation, result.error());
  operation.outcome = Outcome::ok;
  operation.revision = (*result)->revision;
  operation.content = content_of(**result, large);
}

template <class Options>
Options options_of(const Operation& operation, std::chrono::milliseconds timeout) {
  Options options;
  if (operation.expect == Expect::absent) options.if_revision(RevisionCheck::absent());
  if (operation.expect == Expect::exactly) options.if_revision(operation.expected);
  options.timeout(timeout);
  return options;
}

/// One coroutine's choices.
class Client {
 public:
  Client(std::shared_ptr<Journal> journal, StorePtr store, int number)
      : journal_(std::move(journal)), store_(std::move(store)), number_(number) {
    std::seed_seq seed{round().seed, std::uint64_t(journal_->process()), std::uint64_t(number)};
    random_.seed(seed);
    seen_.resize(static_cast<std::size_t>(round().sessions));
  }

  static asio::awaitable<void> run(std::shared_ptr<Client> self) {
    try {
      for (int i = 0; i < self->round().operations; ++i)
        co_await step(self, i);
    } catch (const std::exception& error) {
      self->journal_->bad(error.what());
    }
  }

 private:
  const Round& round() const noexcept { return journal_->round(); }
  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  bool chance(int percent) { return below(100) < percent; }
  SessionId id(int session) const { return SessionId(round().name + "-" + std::to_string(session)); }

  Operation choose(int step) {
    Operation operation;
    operation.process = journal_->process();
    operation.client = number_;
    operation.session = below(round().sessions);
    operation.tag = (journal_->process() * 16 + number_ + 1) * kTagsPerClient + step;
    const int dice = below(100);
    operation.kind = dice < 22   ? Kind::load
                     : dice < 50 ? Kind::append
                     : dice < 76 ? Kind::save
                     : dice < 90 ? Kind::update
                                 : Kind::remove;
    choose_check(operation);
    if (operation.kind == Kind::append && chance(50)) {
      operation.key = 1 + below(kKeys);
      operation.tag = kFirstKeyTag + operation.key * 10 + operation.session;
    }
    return operation;
  }

  void choose_check(Operation& operation) {
    const Revision seen = seen_[static_cast<std::size_t>(operation.session)];
    if (operation.kind == Kind::load) return;
    if (operation.kind == Kind::save && chance(35)) {
      operation.expect = Expect::absent;
    } else if (seen != 0 && chance(30)) {
      operation.expect = Expect::exactly;
      operation.expected = seen;
    }
  }

  static asio::awaitable<void> step(std::shared_ptr<Client> self, int number) {
    Operation operation = self->choose(number);
    const auto timeout = std::chrono::milliseconds(self->chance(6) ? 1 + self->below(4) : 0);
    const int line = self->journal_->invoked(operation);
    const SessionId id = self->id(operation.session);
    co_await perform(self->store_, id, operation, self->round().large_messages, timeout);
    self->journal_->returned(line, operation);
    if (operation.revision != 0)
      self->seen_[static_cast<std::size_t>(operation.session)] = operation.revision;
    if (operation.actual) self->seen_[static_cast<std::size_t>(operation.session)] = *operation.actual;
  }

  const std::shared_ptr<Journal> journal_;
  const StorePtr store_;
  const int number_;
  std::mt19937 random_;
  std::vector<Revision> seen_;
};

void verify_left(SessionStore& store, const Journal& journal) {
  const auto report = blocking::verify(store);
  if (!report) return journal.bad("verify: " + report.error().message());
  for (const Finding& finding : report->findings)
    journal.bad("verify finds " + std::string(name(finding.kind)) + ": " + finding.key);
}

}  // namespace

asio::awaitable<void> perform(StorePtr store, SessionId id, Operation& operation, bool large,
                              std::chrono::milliseconds timeout) {
  const int tag = operation.tag;
  switch (operation.kind) {
    case Kind::load: {
      LoadOptions options;
      options.timeout(timeout);
      const auto loaded = co_await store->load(id, options);
      settle(operation, loaded, large);
      break;
    }
    case Kind::save: {
      Session session = session_of(id, after_save(tag), large);
      const auto options = options_of<SaveOptions>(operation, timeout);
      const auto written = co_await store->save(std::move(session), options);
      settle(operation, written);
      break;
    }
    case Kind::append: {
      std::vector<Message> messages{message(tag, large), message(-tag, large)};
      auto options = options_of<AppendOptions>(operation, timeout);
      if (operation.key != 0) options.idempotency_key("key " + std::to_string(operation.key));
      const auto written = co_await store->append(id, std::move(messages), options);
      settle(operation, written);
      break;
    }
    case Kind::update: {
      const Mutation change([tag, large](Session& session) {
        // Where the mutation runs without a lock, others come in between.
        if (tag % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        session = session_of(session.id, after_update(content_of(session, large), tag), large);
      });
      const auto options = options_of<UpdateOptions>(operation, timeout);
      const auto updated = co_await store->update(id, change, options);
      settle(operation, updated, large);
      break;
    }
    case Kind::remove: {
      const auto options = options_of<RemoveOptions>(operation, timeout);
      const auto removed = co_await store->remove(id, options);
      settle(operation, removed);
      break;
    }
  }
}

void record_process(const Round& round, int process, int journal_descriptor) {
  auto journal = std::make_shared<Journal>(round, process, journal_descriptor);
  auto opened = round.open();
  if (!opened) return journal->bad(opened.error().message());
  asio::thread_pool threads(2);
  for (int i = 0; i < round.clients; ++i) {
    auto client = std::make_shared<Client>(journal, *opened, i);
    asio::co_spawn(asio::make_strand(threads), Client::run(std::move(client)), asio::detached);
  }
  threads.join();
  if (round.verifies) verify_left(**opened, *journal);
}

}  // namespace sessile::linearizability
