#include "store.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace sessile::postgres {

namespace {

Capabilities capabilities_of(const OpenOptions& options) {
  Capabilities capabilities;
  capabilities.backend = "postgres";
  capabilities.max_durability = Durability::power;
  capabilities.default_durability = options.durability().value_or(Durability::power);
  capabilities.idempotent_append = true;
  capabilities.reach = Reach::network;
  capabilities.limits = options.limits();
  return capabilities;
}

std::int64_t last_of(const LoadOptions& options) {
  const std::uint64_t last = options.last_messages().value_or(kAllMessages);
  return static_cast<std::int64_t>(std::min<std::uint64_t>(last, kAllMessages));
}

}  // namespace

PostgresStore::PostgresStore(Target target, PostgresOptions options, std::string quoted_schema,
                             OpenOptions open)
    : SessionStore(open, capabilities_of(open)),
      database_(std::make_shared<Database>(get_executor(), std::move(target), options,
                                           std::move(quoted_schema), open.missing_place())),
      stamper_(open.clock()) {}

std::int64_t PostgresStore::session_limit() const noexcept {
  return static_cast<std::int64_t>(postgres::session_limit(capabilities().limits));
}

std::vector<Parameter> PostgresStore::load_parameters(Parameter ids, std::int64_t last) const {
  std::vector<Parameter> parameters;
  parameters.push_back(std::move(ids));
  parameters.push_back(Parameter::integer(last));
  parameters.push_back(Parameter::integer(session_limit()));
  return parameters;
}

void PostgresStore::note(Durability durability) noexcept {
  if (durability != Durability::power) unflushed_.note(database_->breaks());
}

void Unflushed::note(std::uint64_t breaks) noexcept {
  const std::lock_guard lock(mutex_);
  if (noted_.writes == synced_) noted_.breaks = breaks;
  ++noted_.writes;
}

std::optional<Unflushed::Noted> Unflushed::noted() const noexcept {
  const std::lock_guard lock(mutex_);
  return noted_.writes == synced_ ? std::nullopt : std::optional(noted_);
}

bool Unflushed::flushed(const Noted& noted, std::uint64_t breaks) noexcept {
  const std::lock_guard lock(mutex_);
  synced_ = std::max(synced_, noted.writes);
  return breaks == noted.breaks;
}

Async<SessionPtr> PostgresStore::do_load(SessionId id, LoadOptions options) {
  auto work = load_there(std::move(id), options);
  co_return co_await inside(std::move(work));
}

Async<SessionPtr> PostgresStore::load_there(SessionId id, LoadOptions options) {
  const std::int64_t last = last_of(options);
  Commands commands;
  commands.emplace_back(database_->statements.load, load_parameters(Parameter::text(id.str()), last));
  auto flight = co_await database_->read(std::move(commands));
  if (!flight) co_return flight.error();
  if (!*flight || (*flight)->replies[0].rows() == 0) co_return Error(Errc::not_found);
  co_return session_at((*flight)->replies[0], 0, last, capabilities().limits);
}

Async<Page<SessionSummary>> PostgresStore::do_list(ListQuery query) {
  auto work = list_there(std::move(query));
  co_return co_await inside(std::move(work));
}

Async<Page<SessionSummary>> PostgresStore::list_there(ListQuery query) {
  auto listing = listing_of(query, database_->statements);
  if (!listing) co_return listing.error();
  Commands commands;
  commands.emplace_back(listing->statement, listing->parameters);
  if (query.cursor().empty()) commands.emplace_back(database_->statements.unsound);
  auto flight = co_await database_->read(std::move(commands));
  if (!flight) co_return flight.error();
  Page<SessionSummary> page;
  if (!*flight) co_return page;
  const Reply& rows = (*flight)->replies[0];
  const int count = std::min(rows.rows(), static_cast<int>(query.limit()));
  for (int row = 0; row < count; ++row) {
    auto summary = summary_at(rows, row);
    if (summary) {
      page.items.push_back(std::move(*summary));
    } else {
      page.unreadable.push_back(summary.error().with_key(rows.text(row, column::kId)));
    }
  }
  if (rows.rows() > count) {
    // From the row, for its summary may be unreadable; the page goes on behind it all the same.
    SessionSummary last;
    last.id = SessionId(rows.text(count - 1, column::kId));
    last.updated_at =
        TimePoint(std::chrono::microseconds(rows.integer(count - 1, column::kUpdated).value_or(0)));
    page.next = encode_cursor(query, last);
  }
  if ((*flight)->replies.size() > 1) {
    const Reply& damaged = (*flight)->replies[1];
    for (int row = 0; row < damaged.rows(); ++row) {
      page.unreadable.push_back(
          unreadable("the session's envelope is not as it was written").with_key(damaged.text(row, 0)));
    }
  }
  co_return page;
}

Async<AgentSessions> PostgresStore::do_list_for_agent(AgentId agent, ListQuery query) {
  query.agent(std::move(agent));
  auto work = list_for_agent_there(std::move(query));
  co_return co_await inside(std::move(work));
}

Async<AgentSessions> PostgresStore::list_for_agent_there(ListQuery query) {
  auto listed = co_await list_there(query);
  if (!listed) co_return listed.error();
  AgentSessions page;
  page.unreadable = std::move(listed->unreadable);
  page.next = std::move(listed->next);
  std::vector<std::string> ids;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < listed->items.size(); ++i) {
    const SessionSummary& summary = listed->items[i];
    ids.push_back(summary.id.str());
    bytes += summary.stored_bytes;
    if (bytes >= query.byte_budget() && i + 1 < listed->items.size()) {
      page.next = encode_cursor(query, summary);
      break;
    }
  }
  if (ids.empty()) co_return page;
  Commands commands;
  commands.emplace_back(database_->statements.load_many,
                        load_parameters(Parameter::texts(ids), kAllMessages));
  auto flight = co_await database_->read(std::move(commands));
  if (!flight) co_return flight.error();
  if (!*flight) co_return page;
  const Reply& rows = (*flight)->replies[0];
  std::map<std::string, int, std::less<>> row_of;
  for (int row = 0; row < rows.rows(); ++row)
    row_of.emplace(rows.text(row, column::kId), row);
  for (const std::string& id : ids) {
    const auto found = row_of.find(id);
    if (found == row_of.end()) continue;  // removed meanwhile
    auto session = session_at(rows, found->second, kAllMessages, capabilities().limits);
    if (!session) {
      page.unreadable.push_back(session.error().with_key(id));
    } else if ((*session)->agent_id == *query.agent()) {
      page.items.push_back(std::move(*session));
    }
  }
  co_return page;
}

Async<void> PostgresStore::do_flush() {
  const auto noted = unflushed_.noted();
  if (!noted) co_return success();
  auto work = sync_there();
  auto synced = co_await inside(std::move(work));
  if (!synced) co_return synced;
  if (unflushed_.flushed(*noted, database_->breaks())) co_return success();
  co_return Error(Errc::indeterminate,
                  "the server broke connections since the first write to be flushed; if it crashed, the last "
                  "of them may be lost, if it did not, all of them are durable now: load what matters");
}

/// A commit that is waited for takes the server's log to the disk, with all that came before.
Async<void> PostgresStore::sync_there() {
  return commit_there(Command(database_->statements.sync), Terms());
}

Async<void> PostgresStore::commit_there(Command command, Terms terms) {
  Commands commands;
  commands.push_back(std::move(command));
  auto flight = co_await database_->write(std::move(commands), terms);
  if (!flight) co_return flight.error();
  co_return success();
}

Async<void> PostgresStore::do_close() {
  database_->close();
  co_return success();
}

}  // namespace sessile::postgres

namespace sessile {

Result<std::shared_ptr<SessionStore>> make_postgres_store(std::string connection, PostgresOptions options,
                                                          OpenOptions open) {
  auto checked = postgres::check_options(options);
  if (!checked) return checked.error().with_backend("postgres");
  auto target = postgres::check_connection(std::move(connection));
  if (!target) return target.error().with_backend("postgres");
  auto schema = postgres::quoted_schema(options.schema());
  if (!schema) return schema.error().with_backend("postgres");
  return std::shared_ptr<SessionStore>(std::make_shared<postgres::PostgresStore>(
      std::move(*target), std::move(options), std::move(*schema), std::move(open)));
}

Result<void> register_postgres() {
  static const Result<void> registered = [] {
    const StoreFactory factory = [](StoreUrl url, OpenOptions open) -> Result<std::shared_ptr<SessionStore>> {
      PostgresOptions options;
      auto connection = postgres::split_url(url, options, open);
      if (!connection) return connection.error().with_backend("postgres");
      return make_postgres_store(std::move(*connection), std::move(options), std::move(open));
    };
    auto first = register_scheme("postgres", factory);
    if (!first) return first;
    return register_scheme("postgresql", factory);
  }();
  return registered;
}

}  // namespace sessile
