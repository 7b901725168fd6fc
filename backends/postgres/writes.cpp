// Save, append, update and remove: one transaction each, decided by one statement.
#include "json/same_text.hpp"
#include "store.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace sessile::postgres {

namespace {

/// How often a write is made again when what it found has changed under it: a session made or removed just
/// then.
constexpr int kAttempts = 16;
/// After so many updates that lost to another writer the session is locked while its mutation runs.
constexpr int kOptimisticUpdates = 2;
/// The last revision of a removed session is remembered while a clock that is so much behind could repeat it.
constexpr std::chrono::hours kClockError{24 * 7};

/// A number that no other write has: what stands in the row tells whose write it is.
std::int64_t random_writer() {
  thread_local std::mt19937_64 random((static_cast<std::uint64_t>(std::random_device{}()) << 32) ^
                                      std::random_device{}());
  return static_cast<std::int64_t>(random());
}

Error keeps_changing() {
  return Error(Errc::unavailable, "the session keeps being removed and made again");
}

std::optional<Revision> revision_of(const std::optional<Probe>& probe) {
  return probe ? std::optional(probe->written.revision) : std::nullopt;
}

/// What a row's revision is compared with; empty: with nothing. No row has a negative one: neither "absent"
/// nor a number that doesn't go through int64 meets a row.
std::optional<std::int64_t> expected_of(const RevisionCheck& check) {
  if (check.is_absent()) return -1;
  const auto revision = check.revision();
  return revision ? std::optional(static_cast<std::int64_t>(*revision)) : std::nullopt;
}

std::vector<Parameter> about(const SessionId& id, std::int64_t writer) {
  std::vector<Parameter> parameters;
  parameters.push_back(Parameter::text(id.str()));
  parameters.push_back(Parameter::integer(writer));
  return parameters;
}

Command command(const Statement& statement, std::vector<Parameter> parameters, Parameter last) {
  parameters.push_back(std::move(last));
  return Command(statement, std::move(parameters));
}

Command of_id(const Statement& statement, const SessionId& id) {
  std::vector<Parameter> parameters;
  parameters.push_back(Parameter::text(id.str()));
  return Command(statement, std::move(parameters));
}

Error beyond_the_protocol() {
  return Error(Errc::too_large, "more than PostgreSQL can take");
}

/// How many messages both sessions begin with, as they are written.
std::size_t common_messages(const Session& before, const Session& after) {
  const auto same = [](const Message& a, const Message& b) { return sessile::detail::same_text(a, b); };
  const auto [end, ignored] = std::mismatch(before.messages.begin(), before.messages.end(),
                                            after.messages.begin(), after.messages.end(), same);
  return static_cast<std::size_t>(end - before.messages.begin());
}

}  // namespace

std::vector<Parameter> PostgresStore::row_parameters(const Session& session, SessionRows& rows,
                                                     std::int64_t writer, std::uint64_t bytes,
                                                     Times times) const {
  const Written first = stamper_.next(std::nullopt, session, times);
  const bool preserve = times == Times::preserve;
  std::vector<Parameter> parameters;
  parameters.reserve(20);
  parameters.push_back(Parameter::text(session.id.str()));
  parameters.push_back(Parameter::text(session.agent_id.str()));
  parameters.push_back(Parameter::text(as_json_text(session.user_id)));
  parameters.push_back(Parameter::text(as_json_text(session.project_id)));
  parameters.push_back(Parameter::text(session.parent_id.str()));
  parameters.push_back(Parameter::text(std::move(rows.title)));
  parameters.push_back(Parameter::boolean(is_pinned(session)));
  parameters.push_back(Parameter::integer(static_cast<std::int64_t>(session.messages.size())));
  parameters.push_back(Parameter::integer(static_cast<std::int64_t>(bytes)));
  parameters.push_back(Parameter::text(std::move(rows.envelope)));
  parameters.push_back(Parameter::integer(writer));
  parameters.push_back(Parameter::integer(static_cast<std::int64_t>(first.revision)));
  parameters.push_back(Parameter::integer(micros(first.created_at.time())));
  parameters.push_back(Parameter::text(original_of(first.created_at)));
  parameters.push_back(Parameter::integer(micros(first.updated_at.time())));
  parameters.push_back(Parameter::text(original_of(first.updated_at)));
  parameters.push_back(Parameter::integer(micros(stamper_.now())));
  parameters.push_back(Parameter::boolean(preserve && !session.created_at.empty()));
  parameters.push_back(Parameter::boolean(preserve && !session.updated_at.empty()));
  return parameters;
}

Async<Written> PostgresStore::do_save(SessionPtr session, SaveOptions options) {
  auto work = save_there(std::move(session), options);
  co_return co_await inside(std::move(work));
}

Async<Written> PostgresStore::save_there(SessionPtr session, SaveOptions options) {
  if (options.measured_bytes() > kMostBytes) co_return beyond_the_protocol();
  const Terms terms(*options.durability(), options.timeout());
  const Statements& sql = database_->statements;
  const RevisionCheck check = options.if_revision();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::int64_t writer = random_writer();
    SessionRows rows = rows_of(*session, 0);
    Command row(check.is_any()      ? sql.save_any
                : check.is_absent() ? sql.save_absent
                                    : sql.save_exact,
                row_parameters(*session, rows, writer, options.measured_bytes(), options.times()));
    if (check.revision()) row.parameters.push_back(Parameter::integer(expected_of(check)));
    Commands commands;
    commands.push_back(std::move(row));
    if (!check.revision()) commands.emplace_back(sql.outbid_retired, about(session->id, writer));
    commands.push_back(command(sql.cut_messages, about(session->id, writer), Parameter::integer(0)));
    if (!rows.bodies.empty())
      commands.push_back(
          command(sql.add_messages, about(session->id, writer), Parameter::texts(rows.bodies)));
    commands.push_back(of_id(sql.probe, session->id));
    auto flight = co_await database_->write(std::move(commands), terms);
    if (!flight) co_return flight.error();
    const auto probe = probe_in(flight->replies.back());
    if (probe && probe->writer == writer) {
      note(terms.durability);
      co_return probe->written;
    }
    if (probe && probe->damage) co_return *probe->damage;
    if (auto expected = check_revision(check, revision_of(probe)); !expected) co_return expected.error();
  }
  co_return keeps_changing();
}

Async<void> PostgresStore::do_remove(SessionId id, RemoveOptions options) {
  auto work = remove_there(std::move(id), options);
  co_return co_await inside(std::move(work));
}

Async<void> PostgresStore::remove_there(SessionId id, RemoveOptions options) {
  const Terms terms(*options.durability(), options.timeout());
  const Statements& sql = database_->statements;
  const RevisionCheck check = options.if_revision();
  const std::int64_t forgotten = micros(stamper_.now() - kClockError);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Commands commands;
    commands.push_back(of_id(sql.remove_session, id));
    commands.back().parameters.push_back(Parameter::integer(expected_of(check)));
    commands.back().parameters.push_back(Parameter::integer(forgotten));
    commands.emplace_back(sql.sweep_retired, std::vector<Parameter>(1, Parameter::integer(forgotten)));
    commands.push_back(of_id(sql.remove_messages, id));
    commands.push_back(of_id(sql.remove_appends, id));
    commands.push_back(of_id(sql.probe, id));
    auto flight = co_await database_->write(std::move(commands), terms);
    if (!flight) co_return flight.error();
    const Reply& removed = flight->replies.front();
    if (removed.rows() == 1) {
      stamper_.retired(static_cast<Revision>(removed.integer(0, 0).value_or(0)));
      note(terms.durability);
      co_return success();
    }
    const auto probe = probe_in(flight->replies.back());
    if (!probe) co_return Error(Errc::not_found);
    if (probe->damage) co_return *probe->damage;
    if (auto expected = check_revision(check, revision_of(probe)); !expected) co_return expected.error();
  }
  co_return keeps_changing();
}

Async<Written> PostgresStore::do_append(SessionId id, std::vector<Message> messages, AppendOptions options) {
  auto work = append_there(std::move(id), std::move(messages), std::move(options));
  co_return co_await inside(std::move(work));
}

namespace {

/// What an append that wrote nothing is answered. Empty: it should have been written.
Result<std::optional<Written>> refused_append(const std::optional<Probe>& probe,
                                              const std::optional<AppendMemory::Entry>& known,
                                              const AppendOptions& options, const std::string& print,
                                              std::int64_t limit) {
  if (!probe) return Error(Errc::not_found);
  if (probe->damage) return *probe->damage;
  if (known) {
    AppendMemory memory;
    memory.remember(known->key, known->fingerprint, known->written);
    return memory.find(options.idempotency_key(), print);
  }
  if (auto expected = check_revision(options.if_revision(), probe->written.revision); !expected)
    return expected.error();
  if (probe->stored_bytes + options.measured_bytes() > static_cast<std::uint64_t>(limit))
    return Error(Errc::too_large, "the session would exceed its limit");
  return std::optional<Written>();
}

std::vector<Parameter> key_parameters(const SessionId& id, const std::string& key) {
  std::vector<Parameter> parameters;
  parameters.push_back(Parameter::text(id.str()));
  parameters.push_back(Parameter::bytes(key));
  return parameters;
}

}  // namespace

Async<Written> PostgresStore::append_nothing_there(SessionId id, AppendOptions options, std::string print) {
  const Terms terms(*options.durability(), options.timeout());
  const std::string& key = options.idempotency_key();
  Commands commands;
  commands.push_back(of_id(database_->statements.probe, id));
  commands.emplace_back(database_->statements.recall, key_parameters(id, key));
  auto flight = co_await database_->read(std::move(commands));
  if (!flight) co_return flight.error();
  if (!*flight) co_return Error(Errc::not_found);
  const auto probe = probe_in((*flight)->replies[0]);
  auto known = append_in((*flight)->replies[1], key);
  if (!known) co_return known.error();
  auto refused = refused_append(probe, *known, options, print, session_limit());
  if (!refused) co_return refused.error();
  const Written there = *refused ? **refused : probe->written;
  auto settled = co_await settle_there(id, terms);
  if (!settled) co_return settled.error();
  co_return there;
}

Async<Written> PostgresStore::append_there(SessionId id, std::vector<Message> messages,
                                           AppendOptions options) {
  const std::string& key = options.idempotency_key();
  const bool keyed = !key.empty();
  const std::string print = keyed ? fingerprint(messages) : std::string();
  if (messages.empty()) co_return co_await append_nothing_there(id, options, print);
  if (options.measured_bytes() > kMostBytes) co_return beyond_the_protocol();
  Terms terms(*options.durability(), options.timeout());
  terms.repeatable = keyed;
  const Statements& sql = database_->statements;
  const std::vector<std::string> bodies = bodies_of(messages);
  const std::optional<std::string> title = title_from(std::move(messages));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::int64_t writer = random_writer();
    std::vector<Parameter> decide;
    decide.push_back(Parameter::text(id.str()));
    decide.push_back(Parameter::integer(micros(stamper_.now())));
    decide.push_back(Parameter::integer(static_cast<std::int64_t>(bodies.size())));
    decide.push_back(Parameter::integer(static_cast<std::int64_t>(options.measured_bytes())));
    decide.push_back(Parameter::text(title));
    decide.push_back(Parameter::integer(writer));
    decide.push_back(Parameter::integer(session_limit()));
    decide.push_back(Parameter::integer(expected_of(options.if_revision())));
    if (keyed) decide.push_back(Parameter::bytes(key));
    Commands commands;
    // So that who waited for the row sees the key of who had it.
    if (keyed) commands.push_back(of_id(sql.lock, id));
    commands.emplace_back(keyed ? sql.append_keyed : sql.append, std::move(decide));
    commands.push_back(command(keyed ? sql.add_messages_keyed : sql.add_messages, about(id, writer),
                               Parameter::texts(bodies)));
    if (keyed) {
      commands.back().parameters.push_back(Parameter::bytes(key));
      commands.push_back(command(sql.remember, about(id, writer), Parameter::bytes(key)));
      commands.back().parameters.push_back(Parameter::text(print));
      commands.emplace_back(sql.forget, about(id, kRememberedAppends));
      commands.emplace_back(sql.recall, key_parameters(id, key));
    }
    commands.push_back(of_id(sql.probe, id));
    auto flight = co_await database_->write(std::move(commands), terms);
    if (!flight) co_return flight.error();
    const auto probe = probe_in(flight->replies.back());
    if (probe && probe->writer == writer) {
      note(terms.durability);
      co_return probe->written;
    }
    std::optional<AppendMemory::Entry> known;
    if (keyed) {
      auto recalled = append_in(flight->replies[flight->replies.size() - 2], key);
      if (!recalled) co_return recalled.error();
      known = std::move(*recalled);
    }
    auto refused = refused_append(probe, known, options, print, session_limit());
    if (!refused) co_return refused.error();
    if (!*refused) continue;
    auto settled = co_await settle_there(id, terms);
    if (!settled) co_return settled.error();
    co_return **refused;
  }
  co_return keeps_changing();
}

Async<void> PostgresStore::settle_there(SessionId id, Terms terms) {
  note(terms.durability);
  if (terms.durability != Durability::power) co_return success();
  co_return co_await commit_there(of_id(database_->statements.touch, id), terms);
}

Async<PostgresStore::Found> PostgresStore::find_there(SessionId id) {
  auto loaded = co_await load_there(std::move(id), LoadOptions());
  if (!loaded) co_return loaded.error();
  Found found;
  found.session = std::move(*loaded);
  co_return found;
}

Async<PostgresStore::Found> PostgresStore::find_locked_there(SessionId id, Terms terms) {
  Commands commands;
  commands.push_back(of_id(database_->statements.lock, id));
  commands.emplace_back(database_->statements.load, load_parameters(Parameter::text(id.str()), kAllMessages));
  auto begun = co_await database_->begin(std::move(commands), terms);
  if (!begun) co_return begun.error();
  Found found;
  found.held = std::make_shared<OpenTransaction>(std::move(*begun));
  const Reply& rows = found.held->flight.replies.back();
  Result<SessionPtr> loaded = rows.rows() == 0 ? Result<SessionPtr>(Error(Errc::not_found))
                                               : session_at(rows, 0, kAllMessages, capabilities().limits);
  if (loaded) {
    found.session = std::move(*loaded);
    co_return found;
  }
  co_await database_->abandon(std::move(*found.held));
  co_return loaded.error();
}

Async<void> PostgresStore::abandon_there(std::shared_ptr<OpenTransaction> held) {
  co_await database_->abandon(std::move(*held));
  co_return success();
}

Async<std::optional<Written>> PostgresStore::replace_there(Found found, SessionPtr next, Terms terms) {
  if (next->stored_bytes > kMostBytes) co_return beyond_the_protocol();
  const Statements& sql = database_->statements;
  const Session& before = *found.session;
  const std::size_t kept = common_messages(before, *next);
  const std::int64_t writer = random_writer();
  SessionRows rows = rows_of(*next, kept);
  Command row(sql.save_exact, row_parameters(*next, rows, writer, next->stored_bytes, Times::stamp));
  row.parameters.push_back(Parameter::integer(static_cast<std::int64_t>(before.revision)));
  Commands commands;
  commands.push_back(std::move(row));
  if (kept < before.messages.size()) {
    commands.push_back(command(sql.cut_messages, about(next->id, writer),
                               Parameter::integer(static_cast<std::int64_t>(kept))));
  }
  if (!rows.bodies.empty())
    commands.push_back(command(sql.add_messages, about(next->id, writer), Parameter::texts(rows.bodies)));
  commands.push_back(of_id(sql.probe, next->id));

  std::optional<Flight> flight;
  if (found.held) {
    auto finished = co_await database_->finish(std::move(*found.held), std::move(commands));
    if (!finished) co_return finished.error();
    flight = std::move(*finished);
  } else {
    auto written = co_await database_->write(std::move(commands), terms);
    if (!written) co_return written.error();
    flight = std::move(*written);
  }
  if (!flight) co_return std::optional<Written>();
  const auto probe = probe_in(flight->replies.back());
  if (!probe || probe->writer != writer) co_return std::optional<Written>();
  note(terms.durability);
  co_return std::optional<Written>(probe->written);
}

Async<SessionPtr> PostgresStore::do_update(SessionId id, Mutation mutation, UpdateOptions options) {
  const Terms terms(*options.durability(), options.timeout());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto look = attempt < kOptimisticUpdates ? find_there(id) : find_locked_there(id, terms);
    auto found = co_await inside(std::move(look));
    if (!found) co_return found.error();
    const Session& current = *found->session;
    auto expected = check_revision(options.if_revision(), current.revision);
    // The user's code, on the caller's executor.
    Result<std::shared_ptr<Session>> changed =
        expected ? apply_mutation(current, mutation, capabilities().limits) : expected.error();
    if (!changed || *changed == nullptr) {
      if (found->held) {
        auto abandon = abandon_there(found->held);
        auto abandoned = co_await inside(std::move(abandon));
        abandoned.ignore();
      }
      if (!changed) co_return changed.error();
      auto sync = settle_there(id, terms);
      auto settled = co_await inside(std::move(sync));
      if (!settled) co_return settled.error();
      co_return found->session;
    }
    std::shared_ptr<Session> next = std::move(*changed);
    auto replace = replace_there(*found, next, terms);
    auto written = co_await inside(std::move(replace));
    if (!written) co_return written.error();
    if (*written) co_return SessionPtr(std::make_shared<const Session>(stamped(std::move(*next), **written)));
  }
  co_return keeps_changing();
}

}  // namespace sessile::postgres
