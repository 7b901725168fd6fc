// What users find handy, built once on the interface: free functions that work with every store.
#pragma once

#include <sessile/store.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// For every function: the store is kept alive by its shared_ptr; executor, cancellation and thread safety
/// are those of the operations it is made of (see SessionStore); a function of several operations that is
/// cancelled between them has done the first ones, and says which.
namespace sessile {

using StorePtr = std::shared_ptr<SessionStore>;

/// Saves a session that must not be there yet. Errors: conflict when the id is taken.
Async<Written> create(StorePtr store, Session session, SaveOptions options = SaveOptions());

/// The session of that id, or a new one made by exactly one of those who ask at the same time. An empty id: a
/// random UUID. `user` is given to a new one only.
Async<SessionPtr> get_or_create(StorePtr store, std::string user, SessionId id = SessionId());

/// Whether a session of that id is stored and readable. Errors: as load, but not_found.
Async<bool> exists(StorePtr store, SessionId id);

/// A copy under a new id (empty: a random UUID) whose parent_id is `from`. Errors: conflict when the id is
/// taken.
Async<SessionPtr> fork(StorePtr store, SessionId from, SessionId to = SessionId());

/// Moves a session to a project; an empty name: to none.
Async<SessionPtr> move_to_project(StorePtr store, SessionId id, std::string project);

/// Appends one message. One without a timestamp is given the store's time, unless `options` have an
/// idempotency key: a replay must be the same message. Errors: as append.
Async<Written> add_message(StorePtr store, SessionId id, Message message,
                           AppendOptions options = AppendOptions());
Async<Written> add_message(StorePtr store, SessionId id, std::string role, json::value content,
                           AppendOptions options = AppendOptions());

/// Appends a message of the role "assistant", with the steps that led to it, as add_message does.
Async<Written> add_response(StorePtr store, SessionId id, json::value content,
                            std::optional<TrajectoryRange> steps = std::nullopt,
                            AppendOptions options = AppendOptions());

/// Adds steps to the end of the trajectory; one without a timestamp is given the store's time. No steps:
/// checks, writes nothing. The new steps' range ends at the size of the returned trajectory. Errors: as
/// update.
Async<SessionPtr> extend_trajectory(StorePtr store, SessionId id, std::vector<TrajectoryStep> steps,
                                    UpdateOptions options = UpdateOptions());

/// Sets one entry of the metadata. The value that is there already: writes nothing. Errors: as update.
Async<SessionPtr> set_metadata(StorePtr store, SessionId id, std::string key, json::value value,
                               UpdateOptions options = UpdateOptions());

/// Sets the persona that speaks for the agent from now on; empty: none. It is the field `active_persona_id`
/// in Session::extra, where the agent operating system keeps it. Errors: as update.
Async<SessionPtr> set_active_persona(StorePtr store, SessionId id, std::string persona,
                                     UpdateOptions options = UpdateOptions());

/// The persona set by set_active_persona; empty when there is none.
std::string active_persona(const Session& session);

/// How many questions were answered: the lesser of the numbers of messages by "user" and by "assistant".
std::uint64_t exchange_count(const Session& session) noexcept;

/// Summaries of all sessions updated at `cutoff` or later, newest first, as one page, with what is
/// unreadable.
Async<Page<SessionSummary>> since(StorePtr store, TimePoint cutoff);

/// Calls `visit` for the summary of every session that `query` selects, page by page; stops early when it
/// returns an error, and returns that. Unreadable ones are returned.
Async<std::vector<Error>> for_each(StorePtr store, ListQuery query,
                                   std::function<Result<void>(const SessionSummary&)> visit);

/// What copy did.
class CopyReport {
 public:
  CopyReport() noexcept {}
  std::uint64_t copied = 0;
  std::uint64_t unchanged = 0;  ///< were there already, the same
  std::vector<Error> failed;    ///< could not be read or written; the others were copied
};

/// Copies every session from one store to another, keeping created_at and updated_at. A session of the same
/// id and content that is there already is left; another one is reported as conflict and left. May be run
/// again.
Async<CopyReport> copy(StorePtr from, StorePtr to, std::function<void(const SessionSummary&)> progress = {});

}  // namespace sessile
