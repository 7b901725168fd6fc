#include "database.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

namespace sessile::postgres {

namespace {

constexpr int kMostAttempts = 12;
constexpr std::chrono::milliseconds kLongestOfServer{
    std::numeric_limits<std::int32_t>::max()};  // its settings'

asio::awaitable<bool> is_cancelled() {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

/// What became of a transaction whose last command is its commit.
enum class Outcome {
  committed,
  undone,   ///< nothing happened, and the same again may succeed
  refused,  ///< nothing happened
  unknown,
};

Outcome outcome_of(const Flight& flight, std::size_t commit) {
  if (!flight.failure) {
    const bool done = flight.replies.size() == commit + 1 && flight.replies.back().tag() == "COMMIT";
    if (!done) return Outcome::refused;
    // Of a commit that succeeds the server warns when it stopped waiting for a standby.
    return flight.warned ? Outcome::unknown : Outcome::committed;
  }
  const Failure& failure = *flight.failure;
  if (!flight.sent) return failure.cause == Failure::Cause::cancelled ? Outcome::refused : Outcome::undone;
  if (failure.leaves_outcome_open(failure.at == commit)) return Outcome::unknown;
  return failure.undone_and_worth_another_try() && !flight.cancelling ? Outcome::undone : Outcome::refused;
}

/// Ends a transaction that failed, so that its connection can be used again. True: the caller gave up
/// meanwhile, which no later wait on its strand would know.
asio::awaitable<bool> undo(Connection& connection, const Statement& rollback) {
  if (connection.dropped() || !connection.in_transaction()) co_return false;
  Commands commands;
  commands.emplace_back(rollback);
  const Flight flight = co_await connection.exchange(commands, Intent::writes);
  co_return flight.cancelling;
}

/// A server that turned read-only, or shuts down, is not asked again on the same connection.
bool spoils_connection(const Failure& failure) noexcept {
  return failure.state == sqlstate::kReadOnly || std::string_view(failure.state).substr(0, 2) == "57";
}

std::string_view why_unknown(const Flight& flight) {
  if (!flight.failure) return "the write was committed, but perhaps not on the standby that was to have it";
  if (flight.failure->cause == Failure::Cause::silence)
    return "the server did not answer; whether it committed is not known";
  return "the connection broke; whether the server committed is not known";
}

}  // namespace

/// Counts the attempts of one operation, and pauses between them, so that those who undid each other don't
/// meet again.
class Database::Attempts {
 public:
  explicit Attempts(std::chrono::milliseconds most)
      : deadline(storage::deadline_after(most).value_or(Clock::time_point::max())) {}
  bool left() const { return made_ < kMostAttempts && Clock::now() < deadline; }
  asio::awaitable<void> pause() {
    thread_local std::minstd_rand random(std::random_device{}());
    const int most = 2 << std::min(made_++, 8);
    asio::steady_timer timer(co_await asio::this_coro::executor);
    boost::system::error_code woken;
    timer.expires_after(std::chrono::milliseconds(std::uniform_int_distribution<int>(0, most)(random)));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  const Clock::time_point deadline;

 private:
  int made_ = 0;
};

Database::Database(asio::any_io_executor io, Target target, const PostgresOptions& options,
                   std::string quoted_schema, MissingPlace missing)
    : statements(quoted_schema),
      lock_timeout_(options.lock_timeout()),
      retry_timeout_(options.retry_timeout()),
      pool_(std::make_shared<Pool>(std::move(io), std::move(target), options.pool_size())),
      place_(options, std::move(quoted_schema), missing, statements) {}

Error Database::refusal(const Failure& failure) const {
  Error error = to_error(failure);
  if (error.code() == Errc::locked) error.with_waited(lock_timeout_);
  return error;
}

/// A connection, and a look at the tables. Nothing was written yet, so that any failure may be tried again.
Async<Database::Prepared> Database::prepare(Attempts& attempts, bool make) {
  for (;;) {
    Prepared prepared;
    auto lease = co_await pool_->acquire(attempts.deadline);
    if (!lease) co_return lease.error();
    prepared.lease = std::move(*lease);
    auto found = co_await place_.find(*prepared.lease, make);
    if (found.refusal) co_return *found.refusal;
    if (found.cancelled) co_return Error(Errc::cancelled);
    prepared.ready = found.ready;
    if (!found.failure) co_return prepared;
    const bool cancelled = co_await is_cancelled();
    if (cancelled || found.failure->cause == Failure::Cause::cancelled ||
        found.failure->state == sqlstate::kQueryCancelled) {
      co_return Error(Errc::cancelled);
    }
    const bool again =
        found.failure->cause != Failure::Cause::server || found.failure->undone_and_worth_another_try();
    if (!again || !attempts.left()) co_return to_error(*found.failure);
    prepared.lease.give_back();
    co_await attempts.pause();
  }
}

Async<std::optional<Flight>> Database::read(Commands commands) {
  Attempts attempts(retry_timeout_);
  for (;;) {
    auto prepared = co_await prepare(attempts, false);
    if (!prepared) co_return prepared.error();
    if (!prepared->ready) co_return std::optional<Flight>();
    Flight flight = co_await prepared->lease->exchange(commands, Intent::reads);
    if (!flight.failure) co_return std::optional<Flight>(std::move(flight));
    const Failure& failure = *flight.failure;
    if (flight.cancelling) co_return Error(Errc::cancelled);
    if (failure.no_place()) place_.forget();
    const bool again = failure.no_place() || failure.cause == Failure::Cause::connection ||
                       failure.undone_and_worth_another_try();
    if (!again || !attempts.left()) co_return refusal(failure);
    prepared->lease.give_back();
    co_await attempts.pause();
  }
}

std::vector<Parameter> Database::settings(const Terms& terms) const {
  using std::chrono::milliseconds;
  milliseconds lock = lock_timeout_;
  milliseconds statement(0);
  if (terms.deadline) {
    const auto left = std::chrono::ceil<milliseconds>(*terms.deadline - Clock::now());
    statement = std::max(left, milliseconds(1));
    if (lock.count() == 0 || statement < lock) lock = statement;
  }
  std::vector<Parameter> parameters;
  for (const milliseconds limit : {lock, statement})
    parameters.push_back(Parameter::text(std::to_string(std::min(limit, kLongestOfServer).count())));
  return parameters;
}

const Statement& Database::settings_statement(const Terms& terms) const {
  return terms.durability == Durability::power ? statements.settings_power : statements.settings_process;
}

Async<Flight> Database::write(Commands body, Terms terms) {
  Attempts attempts(retry_timeout_);
  Commands commands;
  commands.reserve(body.size() + 3);
  commands.emplace_back(statements.begin);
  commands.emplace_back(settings_statement(terms));
  std::move(body.begin(), body.end(), std::back_inserter(commands));
  commands.emplace_back(statements.commit);
  const std::size_t commit = commands.size() - 1;
  std::optional<Error> open_question;  // of an attempt whose outcome is not known
  for (;;) {
    auto prepared = co_await prepare(attempts, true);
    if (!prepared) {
      const Error error = prepared.error();
      co_return open_question ? *open_question : error;
    }
    const bool cancelled = co_await is_cancelled();
    if (cancelled) co_return open_question ? *open_question : Error(Errc::cancelled);
    commands[1].parameters = settings(terms);
    Flight flight = co_await prepared->lease->exchange(commands, Intent::writes);
    const Outcome outcome = outcome_of(flight, commit);
    if (flight.failure && spoils_connection(*flight.failure)) prepared->lease->drop();
    const bool undoing_cancelled = co_await undo(*prepared->lease, statements.rollback);
    const bool cancelling = flight.cancelling || undoing_cancelled;
    if (outcome == Outcome::committed) {
      flight.replies.erase(flight.replies.begin(), flight.replies.begin() + 2);
      flight.replies.pop_back();
      co_return flight;
    }
    const bool gone = flight.failure && flight.failure->no_place() && outcome == Outcome::refused;
    if (gone) place_.forget();
    if (outcome == Outcome::unknown) open_question = indeterminate(why_unknown(flight));
    const bool again = !cancelling && (outcome == Outcome::undone || gone ||
                                       (outcome == Outcome::unknown && terms.repeatable));
    if (!again || !attempts.left()) {
      if (open_question) co_return *open_question;
      if (cancelling) co_return Error(Errc::cancelled);
      if (!flight.failure) co_return Error(Errc::unavailable, "the server did not commit");
      co_return refusal(*flight.failure);
    }
    prepared->lease.give_back();
    co_await attempts.pause();
  }
}

Async<OpenTransaction> Database::begin(Commands body, Terms terms) {
  Attempts attempts(retry_timeout_);
  Commands commands;
  commands.emplace_back(statements.begin);
  commands.emplace_back(settings_statement(terms));
  std::move(body.begin(), body.end(), std::back_inserter(commands));
  for (;;) {
    auto prepared = co_await prepare(attempts, true);
    if (!prepared) co_return prepared.error();
    commands[1].parameters = settings(terms);
    OpenTransaction transaction;
    transaction.flight = co_await prepared->lease->exchange(commands, Intent::reads);
    transaction.lease = std::move(prepared->lease);
    Flight& flight = transaction.flight;
    if (!flight.failure) {
      flight.replies.erase(flight.replies.begin(), flight.replies.begin() + 2);
      co_return std::move(transaction);
    }
    const Failure failure = *flight.failure;
    if (flight.cancelling) co_return Error(Errc::cancelled);
    if (failure.no_place()) place_.forget();
    const bool again = failure.no_place() || failure.cause == Failure::Cause::connection ||
                       failure.undone_and_worth_another_try();
    if (spoils_connection(failure)) transaction.lease->drop();
    const bool undoing_cancelled = co_await undo(*transaction.lease, statements.rollback);
    if (undoing_cancelled) co_return Error(Errc::cancelled);
    if (!again || !attempts.left()) co_return refusal(failure);
    transaction.lease.give_back();
    co_await attempts.pause();
  }
}

asio::awaitable<void> Database::abandon(OpenTransaction transaction) {
  co_await undo(*transaction.lease, statements.rollback);
}

Async<std::optional<Flight>> Database::finish(OpenTransaction transaction, Commands body) {
  Commands commands = std::move(body);
  commands.emplace_back(statements.commit);
  Flight flight = co_await transaction.lease->exchange(commands, Intent::writes);
  const Outcome outcome = outcome_of(flight, commands.size() - 1);
  if (flight.failure && spoils_connection(*flight.failure)) transaction.lease->drop();
  const bool undoing_cancelled = co_await undo(*transaction.lease, statements.rollback);
  const bool cancelling = flight.cancelling || undoing_cancelled;
  if (outcome == Outcome::committed) {
    flight.replies.pop_back();
    co_return std::optional<Flight>(std::move(flight));
  }
  if (outcome == Outcome::unknown) co_return indeterminate(why_unknown(flight));
  if (cancelling) co_return Error(Errc::cancelled);
  if (outcome == Outcome::undone) co_return std::optional<Flight>();
  if (!flight.failure) co_return Error(Errc::unavailable, "the server did not commit");
  co_return refusal(*flight.failure);
}

}  // namespace sessile::postgres
