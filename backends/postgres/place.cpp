#include "place.hpp"

#include <utility>

namespace sessile::postgres {

namespace {

Error newer(std::int64_t version) {
  return Error(Errc::unsupported, "the tables are of version " + std::to_string(version) +
                                      ", this library knows " + std::to_string(kSchemaVersion) +
                                      "; use a newer one");
}

}  // namespace

asio::awaitable<Place::Found> Place::find(Connection& connection, bool make) {
  Found found;
  found.ready = ready_;
  if (found.ready) co_return found;
  Commands commands;
  commands.emplace_back(statements_.version);
  const Flight flight = co_await connection.exchange(commands, Intent::reads);
  bool outdated = false;
  found = judge(flight, make, outdated);
  if (outdated) found = co_await migrate(connection);
  if (found.ready) ready_ = true;
  co_return found;
}

Place::Found Place::judge(const Flight& flight, bool make, bool& migrate) const {
  Found found;
  if (flight.failure && !flight.failure->no_place()) {
    found.failure = flight.failure;
    return found;
  }
  std::int64_t version = 0;
  if (!flight.failure && flight.replies[0].rows() == 1) version = flight.replies[0].integer(0, 0).value_or(0);
  found.ready = version == kSchemaVersion;
  migrate = make && version < kSchemaVersion;
  if (version > kSchemaVersion) found.refusal = newer(version);
  if (version == 0 && missing_ == MissingPlace::refuse) {
    migrate = false;
    found.refusal = Error(Errc::unavailable, "the store's tables are not there, and are not to be made");
  }
  if (version > 0 && version < kSchemaVersion && !make)
    found.refusal =
        Error(Errc::unsupported, "the tables are of an older version; a first write updates them");
  return found;
}

/// FNV-1a of the schema's name: who makes the same schema waits for the same lock.
std::int64_t Place::lock_number() const noexcept {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : "sessile " + schema_)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<std::int64_t>(hash);
}

asio::awaitable<Place::Found> Place::run(Connection& connection, const Commands& commands, Flight& flight) {
  Found found;
  flight = co_await connection.exchange(commands, Intent::writes);
  found.cancelled = flight.cancelling;
  found.ready = !flight.failure && !flight.cancelling;
  found.failure = flight.failure;
  if (!found.ready) connection.drop();  // the server undoes what was begun
  co_return found;
}

asio::awaitable<Place::Found> Place::migrate(Connection& connection) {
  const Statement lock(std::string(), "SELECT pg_advisory_xact_lock($1)");
  const Statement look(std::string(), "SELECT 1 FROM pg_namespace WHERE nspname = $1");
  const Statement schema(std::string(), "CREATE SCHEMA " + quoted_);
  const Statement table(std::string(), "CREATE TABLE IF NOT EXISTS " + quoted_ +
                                           ".store (one boolean PRIMARY KEY CHECK (one), "
                                           "version bigint NOT NULL, synced bigint NOT NULL)");
  const Statement row(std::string(), "INSERT INTO " + quoted_ +
                                         ".store (one, version, synced) VALUES (true, 0, 0) "
                                         "ON CONFLICT (one) DO NOTHING");
  const Statement stamp(std::string(), "UPDATE " + quoted_ + ".store SET version = $1 WHERE one");
  const Statement version(std::string(), statements_.version.text);

  Flight flight;
  Commands commands;
  commands.emplace_back(statements_.begin);
  commands.emplace_back(lock, std::vector<Parameter>{Parameter::integer(lock_number())});
  commands.emplace_back(look, std::vector<Parameter>{Parameter::text(schema_)});
  Found found = co_await run(connection, commands, flight);
  if (!found.ready) co_return found;

  commands.clear();
  // Asked first: who may use the schema need not have the right to make one.
  if (flight.replies[2].rows() == 0) commands.emplace_back(schema);
  commands.emplace_back(table);
  commands.emplace_back(row);
  commands.emplace_back(version);
  found = co_await run(connection, commands, flight);
  if (!found.ready) co_return found;

  std::int64_t at = flight.replies.back().integer(0, 0).value_or(0);
  if (at > kSchemaVersion) {
    connection.drop();
    found.ready = false;
    found.refusal = newer(at);
    co_return found;
  }
  std::vector<std::vector<Statement>> steps;
  commands.clear();
  for (; at < kSchemaVersion; ++at)
    steps.push_back(migration(quoted_, at));
  for (const auto& step : steps) {
    for (const Statement& statement : step)
      commands.emplace_back(statement);
  }
  commands.emplace_back(stamp, std::vector<Parameter>{Parameter::integer(kSchemaVersion)});
  commands.emplace_back(statements_.commit);
  co_return co_await run(connection, commands, flight);
}

}  // namespace sessile::postgres
