// Save, append, update and remove of the broken store.
#include "conformance/broken_store.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sessile::conformance {

Async<Written> BrokenStore::do_save(SessionPtr session, SaveOptions options) {
  co_await pause();
  if (is("ids.one_to_200_bytes") && session->id.str().size() == 200) co_return Error(Errc::invalid_argument);
  if (is("lifecycle.close_drains")) co_await dally();
  Session next = *session;
  const RevisionCheck asked = options.if_revision();
  const bool checks_first = (is("create.race_has_one_winner") && asked.is_absent()) ||
                            ((is("update.mixed") || is("remove.race_with_save")) && asked.revision());
  if (checks_first) {
    if (auto checked = check(next.id, asked); !checked) co_return checked.error();
    options.if_revision(RevisionCheck::any());
    co_await dally();
  }
  if (is("concurrency.readers_see_one_state") && next.messages.size() > 1) {
    Session half = next;
    half.messages.resize(next.messages.size() / 2);
    write(std::move(half), options).ignore();
    co_await dally();
  }
  if (is("concurrency.distinct_sessions")) {
    // The defect is that all share it, not that they race for the pointer.
    const auto exchanged = [this](SessionPtr put) {
      const std::lock_guard lock(place_->mutex);
      if (put) place_->scratch = std::move(put);
      return place_->scratch;
    };
    exchanged(session);
    co_await dally();
    const SessionId id = next.id;
    next = *exchanged(nullptr);
    next.id = id;
  }
  const bool commits = !is("cancellation.truth_of_save");
  if (commits) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  Result<Written> written = write(std::move(next), options);
  if (!commits) co_await dally();  // is cancelled, though all is written
  if (is("cancellation.truth_of_timeout") && options.timeout().count() == 1) co_return Error(Errc::timed_out);
  co_return written;
}

Result<Written> BrokenStore::write(Session next, const SaveOptions& options) {
  const std::lock_guard lock(place_->mutex);
  const std::string key = key_of(next.id, defect_);
  Record* record = find(next.id);
  if (record && record->corrupt && is("corruption.save_refused")) record->corrupt = false;
  if (auto checked = compare(record, options.if_revision()); !checked) {
    const bool for_another_agent = record && !record->corrupt && record->session->agent_id != next.agent_id;
    if (!is("agents.ids_are_global") || !for_another_agent) return checked.error();
  }
  if (!record && is("create.after_remove") && options.if_revision().is_absent() &&
      place_->removed.contains(key)) {
    return Error(Errc::conflict);
  }
  if (record && is("revisions.ignored_by_save") && next.revision != 0 &&
      next.revision != record->session->revision) {
    return Error(Errc::conflict).with_revisions(next.revision, record->session->revision);
  }
  if (record && is("roundtrip.replaces_all")) {
    for (const auto& [name, value] : record->session->metadata)
      next.metadata.emplace(name, value);
  }
  Record& target = place_->records[key];
  if (record && is("append.keys_survive_save")) target.appends = AppendMemory();
  if (!record && is("append.keys_end_with_session")) target.appends = place_->removed[key].appends;
  const bool again = record != nullptr;
  Written written = store(target, std::move(next), options.times());
  target.messages_when_saved = target.session->messages.size();
  if (again && is("revisions.raised_by_one")) {
    Session more = *target.session;
    written.revision = ++more.revision;
    target.session = std::make_shared<const Session>(std::move(more));
  }
  if (is("times.written_is_stored")) written.updated_at = written.updated_at.time() + std::chrono::seconds(1);
  return written;
}

Async<Written> BrokenStore::do_append(SessionId id, std::vector<Message> messages, AppendOptions options) {
  co_await pause();
  SessionPtr seen;
  if (is("append.concurrent") || is("append.race_of_one_key")) {
    const std::string print = fingerprint(messages);
    {
      const std::lock_guard lock(place_->mutex);
      Record* record = find(id);
      if (!record) co_return Error(Errc::not_found);
      seen = record->session;
      auto replay = find_replay(*record, options, print);
      if (!replay) co_return replay.error();
      if (*replay) co_return **replay;
    }
    co_await dally();
    if (is("append.race_of_one_key")) options.idempotency_key("");
    if (is("append.concurrent")) {
      Session next = *seen;
      next.messages.insert(next.messages.end(), messages.begin(), messages.end());
      co_return write(std::move(next), SaveOptions());
    }
  }
  const bool commits = !is("cancellation.truth_of_append");
  if (commits) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  Result<Written> written = append_now(id, std::move(messages), options);
  if (!commits) co_await dally();
  co_return written;
}

Result<std::optional<Written>> BrokenStore::find_replay(Record& record, const AppendOptions& options,
                                                        const std::string& print) {
  if (options.idempotency_key().empty() || is("append.replay")) return std::optional<Written>();
  const AppendMemory& memory = is("append.keys_of_one_session") ? place_->appends_of_all : record.appends;
  if (is("append.key_reused")) {
    for (const AppendMemory::Entry& entry : memory.entries()) {
      if (entry.key == options.idempotency_key()) return memory.find(entry.key, entry.fingerprint);
    }
  }
  return memory.find(options.idempotency_key(), print);
}

RevisionCheck BrokenStore::asked_of(const std::string& operation, const RevisionCheck& check) const {
  const bool overlooked =
      is(operation + ".if_revision") || (is(operation + ".if_absent") && check.is_absent());
  return overlooked ? RevisionCheck::any() : check;
}

Result<Written> BrokenStore::append_now(const SessionId& id, std::vector<Message> messages,
                                        const AppendOptions& options) {
  const std::lock_guard lock(place_->mutex);
  Record* record = find(id);
  if (!record && is("append.missing")) {
    record = &place_->records[key_of(id, defect_)];
    record->session = std::make_shared<const Session>(id);
  }
  if (!record) return Error(Errc::not_found);
  if (record->corrupt && is("corruption.append_refused")) record->corrupt = false;
  if (record->corrupt) return Error(Errc::corrupt, "damaged");
  const RevisionCheck asked = asked_of("append", options.if_revision());
  if (is("append.replay_before_revision")) {
    if (auto checked = compare(record, asked); !checked) return checked.error();
  }
  const std::string print = fingerprint(messages);
  auto replay = find_replay(*record, options, print);
  if (!replay) return replay.error();
  if (*replay) return **replay;
  if (auto checked = compare(record, asked); !checked) return checked.error();
  if (messages.empty() && !is("append.nothing")) {
    Written unchanged;
    unchanged.revision = record->session->revision;
    unchanged.created_at = record->session->created_at;
    unchanged.updated_at = record->session->updated_at;
    return unchanged;
  }
  Session next = *record->session;
  if (is("append.order")) std::reverse(messages.begin(), messages.end());
  if (is("append.keeps_the_rest")) next.title.clear();
  std::move(messages.begin(), messages.end(), std::back_inserter(next.messages));
  const Limits limits = is("limits.append") ? Limits() : capabilities().limits;
  if (auto measured = measure(next, limits); !measured) return measured.error();
  const Written written = store(*record, std::move(next), Times::stamp);
  if (!options.idempotency_key().empty()) {
    AppendMemory& memory = is("append.keys_of_one_session") ? place_->appends_of_all : record->appends;
    memory.remember(options.idempotency_key(), print, written);
    if (is("append.remembers_64") && memory.entries().size() > 32) {
      AppendMemory fewer;
      for (auto entry = memory.entries().end() - 32; entry != memory.entries().end(); ++entry) {
        fewer.remember(entry->key, entry->fingerprint, entry->written);
      }
      memory = fewer;
    }
  }
  return written;
}

Result<std::shared_ptr<Session>> BrokenStore::mutate(const Session& current, const Mutation& mutation) const {
  if (is("update.error_writes_nothing") || is("update.exception_writes_nothing")) {
    auto changed = std::make_shared<Session>(current);
    try {
      if (mutation(*changed) || is("update.error_writes_nothing")) return changed;
    } catch (const std::exception&) {
      if (is("update.exception_writes_nothing")) return changed;
    }
  }
  if (is("update.id_change_refused")) {
    const Mutation keeps_id = [&](Session& session) {
      Result<void> result = mutation(session);
      session.id = current.id;
      return result;
    };
    return apply_mutation(current, keeps_id, capabilities().limits);
  }
  auto changed = apply_mutation(current, mutation, is("limits.update") ? Limits() : capabilities().limits);
  if (changed && *changed == nullptr && is("update.no_change_no_write"))
    return std::make_shared<Session>(current);
  return changed;
}

Async<SessionPtr> BrokenStore::do_update(SessionId id, Mutation mutation, UpdateOptions options) {
  co_await pause();
  if (is("update.concurrent") || is("update.never_resurrects")) {
    SessionPtr seen;
    {
      const std::lock_guard lock(place_->mutex);
      if (Record* record = find(id)) seen = record->session;
    }
    if (!seen) co_return Error(Errc::not_found);
    auto changed = apply_mutation(*seen, mutation, capabilities().limits);
    if (!changed) co_return changed.error();
    if (*changed == nullptr) co_return seen;
    co_await dally();
    const std::shared_ptr<Session> next = *changed;
    auto written = write(*next, SaveOptions());
    if (!written) co_return written.error();
    co_return std::make_shared<const Session>(stamped(*next, *written));
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_return update_now(id, mutation, options);
}

Result<SessionPtr> BrokenStore::update_now(const SessionId& id, const Mutation& mutation,
                                           const UpdateOptions& options) {
  const std::lock_guard lock(place_->mutex);
  Record* record = find(id);
  if (!record && is("update.missing")) {
    record = &place_->records[key_of(id, defect_)];
    record->session = std::make_shared<const Session>(id);
  }
  if (!record) return Error(Errc::not_found);
  if (record->corrupt && is("corruption.update_refused")) record->corrupt = false;
  const RevisionCheck asked = is("update.if_revision") ? RevisionCheck::any() : options.if_revision();
  if (auto checked = compare(record, asked); !checked) return checked.error();
  const SessionPtr before = record->session;
  auto changed = mutate(*before, mutation);
  if (!changed) return changed.error();
  if (*changed == nullptr) return before;
  store(*record, std::move(**changed), Times::stamp);
  return is("update.applies") ? before : record->session;
}

Async<void> BrokenStore::do_remove(SessionId id, RemoveOptions options) {
  co_await pause();
  const bool checks_first =
      is("remove.race_has_one_winner") || (is("remove.race_with_save") && options.if_revision().revision());
  if (checks_first) {
    {
      const std::lock_guard lock(place_->mutex);
      if (!find(id)) co_return Error(Errc::not_found);
    }
    if (auto checked = check(id, options.if_revision()); !checked) co_return checked.error();
    co_await dally();
    options.if_revision(RevisionCheck::any());
    remove_now(id, options).ignore();
    co_return success();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_return remove_now(id, options);
}

Result<void> BrokenStore::remove_now(const SessionId& id, const RemoveOptions& options) {
  const std::lock_guard lock(place_->mutex);
  Record* record = find(id);
  if (!record && is("remove.unknown")) return success();
  if (!record) return Error(Errc::not_found);
  if (record->corrupt) {
    if (is("corruption.remove_is_truthful")) place_->records.erase(key_of(id, defect_));
    return Error(Errc::corrupt, "damaged");
  }
  const RevisionCheck asked = asked_of("remove", options.if_revision());
  if (auto checked = compare(record, asked); !checked) return checked;
  if (is("remove.twice")) return success();
  stamper_.retired(record->session->revision);
  const std::string key = key_of(id, defect_);
  place_->removed[key] = *record;
  place_->records.erase(key);
  return success();
}

}  // namespace sessile::conformance
