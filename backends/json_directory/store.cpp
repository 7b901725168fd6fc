#include "store.hpp"

#include "factory.hpp"
#include "gathering.hpp"
#include "storage/lock_url.hpp"
#include "storage/store_directory.hpp"

#include <sessile/json_directory.hpp>

#include <utility>

namespace sessile::json_directory {

using storage::CommitGate;
using storage::run_on;

namespace {

void note(Seen& seen, const std::string& name, const Result<SessionSummary>& summary,
          const ListQuery& query) {
  if (summary) {
    // An index entry whose log names another agent is left over from a move.
    if (!query.agent() || summary->agent_id == *query.agent()) seen.summaries.push_back(*summary);
    return;
  }
  Error error = summary.error();
  // Removed since it was listed, or an index entry that is left over.
  if (error.code() == Errc::not_found) return;
  if (auto id = id_of_file_name(name)) error.with_key(*id);
  seen.unreadable.push_back(std::move(error));
}

/// How durable what a write left is; empty: it left nothing. Of an indeterminate one flush may yet make sure.
template <class T>
std::optional<Durability> left_by(const Result<T>& outcome, Durability asked) {
  if (outcome) return asked;
  if (outcome.error().code() == Errc::indeterminate) return Durability::process;
  return std::nullopt;
}

}  // namespace

JsonDirectoryStore::JsonDirectoryStore(std::shared_ptr<storage::FileSystem> files,
                                       std::filesystem::path directory, LockOptions lock, OpenOptions options,
                                       Capabilities capabilities, CompactionSettings compaction)
    : SessionStore(options, std::move(capabilities)),
      lock_(lock.observer(options.lock_observer())),
      stamper_(options.clock()),
      layout_(std::move(files), std::move(directory), options.missing_place(), std::move(compaction)) {}

Async<JsonDirectoryStore::PlacePtr> JsonDirectoryStore::writable_place() {
  if (auto open = layout_.opened_to_write()) co_return open;
  auto job = [this](CommitGate&) { return layout_.open_to_write(); };
  co_return co_await run_on(get_executor(), std::move(job));
}

Async<JsonDirectoryStore::PlacePtr> JsonDirectoryStore::existing_place() {
  if (auto open = layout_.opened_to_write()) co_return open;
  auto job = [this](CommitGate&) -> Result<PlacePtr> {
    auto place = layout_.open_to_read();
    if (!place || !*place) return place;
    return layout_.open_to_write();
  };
  co_return co_await run_on(get_executor(), std::move(job));
}

storage::AdvisoryLock JsonDirectoryStore::lock_of(const Place& place, const std::string& name) const {
  return storage::AdvisoryLock(place.locks, name + ".lock", lock_, get_executor());
}

Async<Written> JsonDirectoryStore::do_save(SessionPtr session, SaveOptions options) {
  auto place = co_await writable_place();
  if (!place) co_return place.error();
  auto lock = lock_of(**place, file_name(session->id.str()));
  const std::uint64_t begun = weak_writes();
  SessionWriter writer(**place, session->id, stamper_, limits());
  auto job = [&](CommitGate& gate) { return writer.save(session, options, gate); };
  auto written = co_await lock.run_locked<Written>(lock.deadline(options.timeout()), std::move(job));
  wrote(*place, writer, written, *options.durability(), begun);
  co_return written;
}

Result<SessionPtr> JsonDirectoryStore::load_now(const SessionId& id, const LoadOptions& options) {
  auto place = layout_.open_to_read();
  if (!place) return place.error();
  if (!*place) return Error(Errc::not_found);
  auto session = read_session(*(*place)->sessions, *(*place)->cache, id, limits(), options.last_messages());
  if (!session) return session.error();
  return partial_view(std::move(*session), options);
}

Async<SessionPtr> JsonDirectoryStore::do_load(SessionId id, LoadOptions options) {
  if (const auto place = layout_.opened_to_read(); place) {
    auto session = read_session_at_once(*place->sessions, *place->cache, id, limits());
    if (session) co_return partial_view(std::move(session), options);
  }
  auto read = [&](CommitGate&) { return load_now(id, options); };
  auto loaded = co_await run_on(get_executor(), read);
  if (loaded || loaded.error().code() != Errc::corrupt) co_return loaded;
  if (this->options().access() == Access::read_only) co_return co_await run_on(get_executor(), read);
  auto place = co_await existing_place();
  if (!place) co_return place.error();
  if (!*place) co_return Error(Errc::not_found);
  auto lock = lock_of(**place, file_name(id.str()));
  co_return co_await lock.run_locked<SessionPtr>(lock.deadline(options.timeout()), read);
}

Result<Seen> JsonDirectoryStore::look(const ListQuery& query) {
  Seen seen;
  auto place = layout_.open_to_read();
  if (!place) return place.error();
  if (!*place) return seen;
  auto names = query.agent() ? (*place)->indexed(*query.agent()) : (*place)->logs();
  if (!names) return names.error();
  const auto summaries = read_summaries(**place, *names, limits());
  for (std::size_t i = 0; i < names->size(); ++i) {
    if (!summaries[i] && summaries[i].error().code() == Errc::corrupt) {
      seen.suspects.push_back((*names)[i]);
    } else {
      note(seen, (*names)[i], summaries[i], query);
    }
  }
  return seen;
}

Async<void> JsonDirectoryStore::look_again(Seen& seen, const ListQuery& query) {
  auto place = co_await existing_place();
  if (!place) co_return place.error();
  if (!*place) co_return success();
  for (const std::string& name : seen.suspects) {
    auto lock = lock_of(**place, name);
    auto job = [&](CommitGate&) {
      return read_summary(*(*place)->sessions, name + std::string(kLogExtension), limits());
    };
    const auto summary = co_await lock.run_locked<SessionSummary>(lock.deadline(query.timeout()), job);
    note(seen, name, summary, query);
  }
  co_return success();
}

Result<void> JsonDirectoryStore::look_again_unlocked(Seen& seen, const ListQuery& query) {
  auto place = layout_.open_to_read();
  if (!place) return place.error();
  if (!*place) return success();
  for (const std::string& name : seen.suspects)
    note(seen, name, read_summary(*(*place)->sessions, name + std::string(kLogExtension), limits()), query);
  return success();
}

Async<Page<SessionSummary>> JsonDirectoryStore::do_list(ListQuery query) {
  auto look_job = [&](CommitGate&) { return look(query); };
  auto seen = co_await run_on(get_executor(), look_job);
  if (!seen) co_return seen.error();
  const bool may_lock = options().access() != Access::read_only;
  if (!seen->suspects.empty() && may_lock) {
    if (auto again = co_await look_again(*seen, query); !again) co_return again.error();
  } else if (!seen->suspects.empty()) {
    auto unlocked = [&](CommitGate&) { return look_again_unlocked(*seen, query); };
    auto again = co_await run_on(get_executor(), unlocked);
    if (!again) co_return again.error();
  }
  auto page_job = [&](CommitGate&) {
    return make_page(std::move(seen->summaries), std::move(seen->unreadable), query);
  };
  co_return co_await run_on(get_executor(), page_job);
}

Result<std::optional<AgentSessions>> JsonDirectoryStore::gather(const ListQuery& query) {
  auto place = layout_.open_to_read();
  if (!place) return place.error();
  if (!*place) return std::optional<AgentSessions>(AgentSessions());
  return gather_sessions(**place, query, limits());
}

Async<AgentSessions> JsonDirectoryStore::do_list_for_agent(AgentId agent, ListQuery query) {
  auto job = [&](CommitGate&) { return gather(query); };
  auto found = co_await run_on(get_executor(), job);
  if (!found) co_return found.error();
  if (*found) co_return std::move(**found);
  co_return co_await SessionStore::do_list_for_agent(std::move(agent), std::move(query));
}

Async<void> JsonDirectoryStore::do_remove(SessionId id, RemoveOptions options) {
  auto place = co_await existing_place();
  if (!place) co_return place.error();
  if (!*place) co_return Error(Errc::not_found);
  auto lock = lock_of(**place, file_name(id.str()));
  const std::uint64_t begun = weak_writes();
  SessionWriter writer(**place, id, stamper_, limits());
  auto job = [&](CommitGate& gate) { return writer.remove(options, gate); };
  auto removed = co_await lock.run_locked<void>(lock.deadline(options.timeout()), std::move(job));
  wrote(*place, writer, removed, *options.durability(), begun);
  co_return removed;
}

Async<SessionPtr> JsonDirectoryStore::do_update(SessionId id, Mutation mutation, UpdateOptions options) {
  auto place = co_await existing_place();
  if (!place) co_return place.error();
  if (!*place) co_return Error(Errc::not_found);
  auto lock = lock_of(**place, file_name(id.str()));
  std::optional<storage::HeldLock> held;
  const std::uint64_t begun = weak_writes();
  SessionWriter writer(**place, id, stamper_, limits());
  auto begin = [&](CommitGate&) { return writer.begin_update(options); };
  auto current =
      co_await lock.run_and_keep<SessionPtr>(lock.deadline(options.timeout()), held, std::move(begin));
  if (!current) co_return current.error();
  auto changed = apply_mutation(**current, mutation, limits());
  if (!changed) co_return changed.error();
  auto finish = [&](CommitGate& gate) -> Result<SessionPtr> {
    auto stored = *changed == nullptr ? writer.finish_unchanged(*current, options)
                                      : writer.finish_update(std::move(*changed), options, gate);
    // Freed here, so that a busy caller keeps nobody waiting.
    [[maybe_unused]] const storage::HeldLock released = std::move(*held);
    return stored;
  };
  auto stored = co_await run_on(get_executor(), std::move(finish));
  wrote(*place, writer, stored, *options.durability(), begun);
  co_return stored;
}

Async<Written> JsonDirectoryStore::do_append(SessionId id, std::vector<Message> messages,
                                             AppendOptions options) {
  auto place = co_await existing_place();
  if (!place) co_return place.error();
  if (!*place) co_return Error(Errc::not_found);
  auto lock = lock_of(**place, file_name(id.str()));
  const std::uint64_t begun = weak_writes();
  SessionWriter writer(**place, id, stamper_, limits());
  const auto added = std::make_shared<const std::vector<Message>>(std::move(messages));
  auto job = [&](CommitGate& gate) { return writer.append(added, options, gate); };
  auto written = co_await lock.run_locked<Written>(lock.deadline(options.timeout()), std::move(job));
  wrote(*place, writer, written, *options.durability(), begun);
  co_return written;
}

template <class T>
void JsonDirectoryStore::wrote(const PlacePtr& place, const SessionWriter& writer, const Result<T>& outcome,
                               Durability asked, std::uint64_t begun) {
  if (writer.leaves_due()) compactions_->start(place, writer.id(), *writer.leaves_due(), lock_, limits());
  const auto durability = left_by(outcome, asked);
  if (!durability) return;
  if (*durability == Durability::power) return settled(writer.id(), begun);
  const std::scoped_lock lock(mutex_);
  unsettled_[writer.id()] = ++weak_writes_;
}

std::uint64_t JsonDirectoryStore::weak_writes() {
  const std::scoped_lock lock(mutex_);
  return weak_writes_;
}

JsonDirectoryStore::Unsettled JsonDirectoryStore::unsettled() {
  const std::scoped_lock lock(mutex_);
  return unsettled_;
}

void JsonDirectoryStore::settled(const SessionId& id, std::uint64_t write) {
  const std::scoped_lock lock(mutex_);
  const auto noted = unsettled_.find(id);
  if (noted != unsettled_.end() && noted->second <= write) unsettled_.erase(noted);
}

Async<void> JsonDirectoryStore::do_flush() {
  PlacePtr place = layout_.opened_to_write();
  const Unsettled noted = unsettled();
  Result<void> first = success();
  for (const auto& [id, write] : noted) {
    auto lock = lock_of(*place, file_name(id.str()));
    SessionWriter writer(*place, id, stamper_, limits());
    auto job = [&](CommitGate&) { return writer.settle(); };
    auto done = co_await lock.run_locked<void>(lock.deadline(std::chrono::milliseconds(0)), std::move(job));
    // One that is damaged, or held by somebody, keeps no other from being synced.
    if (done) settled(id, write);
    if (!done && done.error().code() == Errc::cancelled) co_return done;
    if (!done && first) first = done;
  }
  co_return first;
}

Async<void> JsonDirectoryStore::do_close() {
  co_await compactions_->ended();
  co_return success();
}

}  // namespace sessile::json_directory

namespace sessile {

Result<std::shared_ptr<SessionStore>> detail::make_json_directory_store_on(
    std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory, LockOptions lock,
    OpenOptions options, json_directory::CompactionSettings compaction) {
  auto place = storage::store_directory(std::move(directory), lock, "json_directory");
  if (!place) return place.error();
  Capabilities capabilities;
  capabilities.backend = "json_directory";
  capabilities.max_durability = Durability::power;
  capabilities.default_durability = options.durability().value_or(Durability::power);
  capabilities.idempotent_append = true;
  capabilities.reach = Reach::machine;
  capabilities.limits = options.limits();
  return std::shared_ptr<SessionStore>(std::make_shared<json_directory::JsonDirectoryStore>(
      std::move(files), std::move(*place), lock, std::move(options), std::move(capabilities),
      std::move(compaction)));
}

Result<std::shared_ptr<SessionStore>> make_json_directory_store(std::filesystem::path directory,
                                                                LockOptions lock, OpenOptions options) {
  return detail::make_json_directory_store_on(storage::real_file_system(), std::move(directory), lock,
                                              std::move(options));
}

Result<std::shared_ptr<SessionStore>> detail::open_json_directory_url(StoreUrl url, OpenOptions options) {
  UrlParameters parameters(url);
  LockOptions lock;
  if (auto common = parameters.apply_common(options); !common) return common.error();
  if (auto locks = storage::apply_lock_parameters(parameters, lock); !locks) return locks.error();
  if (auto finished = parameters.finish(); !finished) return finished.error();
  return make_json_directory_store(std::move(url.rest), lock, std::move(options));
}

}  // namespace sessile
