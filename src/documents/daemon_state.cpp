#include "documents/daemon_work.hpp"
#include "documents/document_operation.hpp"
#include "user_code.hpp"

#include <sessile/daemon_state.hpp>

namespace sessile {

using detail::ChangeDaemonState;
using detail::DocumentCall;
using Outcome = ChangeDaemonState::Outcome;
using storage::Directory;

namespace {

/// A view of the state without the lock; empty: it needs healing.
using Seen = std::optional<DaemonFields>;

Async<Seen> look(DocumentCall call) {
  auto work = [&call](Directory* directory) -> Result<Seen> {
    if (directory == nullptr) return Seen(DaemonFields());
    return detail::read_sound_state(*directory, *call.name, call.core->limits);
  };
  co_return co_await detail::read_body<Seen>(call, std::move(work));
}

Result<void> change_nothing(DaemonFields&) {
  return success();
}

Async<DaemonSnapshot> load_body(DocumentCall call) {
  DaemonSnapshot snapshot;
  auto seen = co_await look(call);
  if (!seen) co_return seen.error();
  if (*seen) {
    snapshot.fields = **std::move(seen);
    co_return snapshot;
  }
  ChangeDaemonState heal(*call.name, &change_nothing);
  auto healed = co_await detail::write_body<Outcome>(call, std::move(heal));
  if (!healed) co_return healed.error();
  snapshot.fields = std::move(healed->fields);
  snapshot.quarantined = std::move(healed->quarantined);
  co_return snapshot;
}

Async<DaemonFields> update_body(DocumentCall call, ChangeDaemonState work) {
  auto changed = co_await detail::write_body<Outcome>(call, std::move(work));
  if (!changed) co_return changed.error();
  co_return std::move(changed->fields);
}

Async<void> mark_body(DocumentCall call, SessionId id, DaemonStateOptions options) {
  if (id.empty()) co_return success();
  if (const auto valid = check(id); !valid) co_return valid.error();
  auto mark = [id, options](DaemonFields& fields) {
    const TimePoint now = options.clock()->now();
    if (json::object* const entries = detail::pending_entries(fields.document()))
      entries->stable_erase(id.str());
    detail::drop_stale(fields.document(), now, options.stale_after());
    // One less: room for the new one, which stays even among entries of a clock that ran ahead.
    detail::drop_oldest(fields.document(), std::max<std::size_t>(options.max_pending(), 1) - 1);
    json::value& entries = fields.document()[detail::kFirstTurnPending];
    if (!entries.is_object()) entries = json::object();
    entries.get_object()[id.str()] = format_time(now);
    return success();
  };
  ChangeDaemonState work(*call.name, std::move(mark));
  auto changed = co_await detail::write_body<Outcome>(call, std::move(work));
  if (!changed) co_return changed.error();
  co_return success();
}

Async<FirstTurn> consume_body(DocumentCall call, SessionId id) {
  FirstTurn turn;
  if (id.empty()) co_return turn;
  if (const auto valid = check(id); !valid) co_return valid.error();
  auto seen = co_await look(call);
  if (!seen) co_return seen.error();
  if (*seen) {
    // No lock for what is the rule: a turn that is not the first.
    const json::object* const entries = detail::pending_entries((*seen)->document());
    if (entries == nullptr || !entries->contains(id.str())) co_return turn;
  }
  auto first = std::make_shared<bool>(false);
  auto pop = [first, id](DaemonFields& fields) {
    json::object* const entries = detail::pending_entries(fields.document());
    if (entries == nullptr || !entries->contains(id.str())) return success();
    entries->stable_erase(id.str());
    *first = true;
    return success();
  };
  ChangeDaemonState work(*call.name, std::move(pop));
  work.consumes(id.str());
  auto changed = co_await detail::write_body<Outcome>(call, std::move(work));
  if (!changed) co_return changed.error();
  turn.first = *first;
  turn.not_saved = std::move(changed->not_saved);
  co_return turn;
}

Async<std::size_t> prune_body(DocumentCall call, DaemonStateOptions options) {
  auto dropped = std::make_shared<std::size_t>(0);
  auto drop = [dropped, options](DaemonFields& fields) {
    const TimePoint now = options.clock()->now();
    *dropped = detail::drop_stale(fields.document(), now, options.stale_after()).size();
    *dropped += detail::drop_oldest(fields.document(), std::max<std::size_t>(options.max_pending(), 1));
    return success();
  };
  ChangeDaemonState work(*call.name, std::move(drop));
  auto changed = co_await detail::write_body<Outcome>(call, std::move(work));
  if (!changed) co_return changed.error();
  co_return *dropped;
}

/// Erases and returns the digest, if it is due.
std::optional<json::value> take_digest(DaemonFields& fields, TimePoint now,
                                       std::chrono::microseconds interval) {
  auto digest = fields.pending_digest();
  if (!digest) return std::nullopt;
  const auto shown = fields.last_digest_shown_at();
  if (shown && std::chrono::abs(now - *shown) < interval) return std::nullopt;
  fields.last_digest_shown_at(now);
  fields.document().stable_erase("pending_digest");
  return digest;
}

Async<std::optional<json::value>> digest_body(DocumentCall call, TimePoint now,
                                              std::chrono::microseconds interval) {
  using Digest = std::optional<json::value>;
  auto seen = co_await look(call);
  if (!seen) co_return seen.error();
  if (*seen && !take_digest(**seen, now, interval)) co_return Digest();
  auto taken = std::make_shared<Digest>();
  auto take = [taken, now, interval](DaemonFields& fields) {
    *taken = take_digest(fields, now, interval);
    return success();
  };
  ChangeDaemonState work(*call.name, std::move(take));
  auto changed = co_await detail::write_body<Outcome>(call, std::move(work));
  // In the file it is shown by now, and nobody else will show it; it may come once more after a loss of
  // power.
  if (!changed && !(changed.error().code() == Errc::indeterminate && *taken)) co_return changed.error();
  co_return std::move(*taken);
}

DocumentCall make_call(std::string_view operation, const std::shared_ptr<detail::DocumentCore>& core,
                       const std::string& category, const std::string& name) {
  DocumentCall call(operation, core, category);
  call.name = name;
  return call;
}

}  // namespace

DaemonState::DaemonState(DocumentStore documents, std::string category, std::string name,
                         DaemonStateOptions options)
    : core_(std::move(documents.core_)),
      category_(std::move(category)),
      name_(std::move(name)),
      options_(std::move(options)) {}

Async<DaemonSnapshot> DaemonState::load() const {
  auto call = make_call("load_state", core_, category_, name_);
  auto body = load_body(call);
  return detail::run_document_operation<DaemonSnapshot>(std::move(call), std::move(body));
}

Async<DaemonFields> DaemonState::update_with(Change change) const {
  auto guarded = [change = std::move(change)](DaemonFields& fields) {
    return detail::run_user_code("the change", [&] { return change(fields); });
  };
  auto call = make_call("update_state", core_, category_, name_);
  ChangeDaemonState work(name_, std::move(guarded));
  auto body = update_body(call, std::move(work));
  return detail::run_document_operation<DaemonFields>(std::move(call), std::move(body));
}

Async<void> DaemonState::mark_session_opened(SessionId id) const {
  auto call = make_call("mark_session_opened", core_, category_, name_);
  auto body = mark_body(call, std::move(id), options_);
  return detail::run_document_operation<void>(std::move(call), std::move(body));
}

Async<FirstTurn> DaemonState::consume_first_turn(SessionId id) const {
  auto call = make_call("consume_first_turn", core_, category_, name_);
  auto body = consume_body(call, std::move(id));
  return detail::run_document_operation<FirstTurn>(std::move(call), std::move(body));
}

Async<std::size_t> DaemonState::prune_stale() const {
  auto call = make_call("prune_stale", core_, category_, name_);
  auto body = prune_body(call, options_);
  return detail::run_document_operation<std::size_t>(std::move(call), std::move(body));
}

Async<std::optional<json::value>> DaemonState::get_pending_digest(TimePoint now) const {
  using Digest = std::optional<json::value>;
  auto call = make_call("get_pending_digest", core_, category_, name_);
  auto body = digest_body(call, now, options_.digest_interval());
  return detail::run_document_operation<Digest>(std::move(call), std::move(body));
}

Async<std::optional<json::value>> DaemonState::get_pending_digest() const {
  return get_pending_digest(options_.clock()->now());
}

}  // namespace sessile
