// What users find handy, built once on the interface: free functions that work with every store.
#pragma once

#include <sessile/store.hpp>

#include <functional>
#include <memory>
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

/// Summaries of all sessions updated at `cutoff` or later, newest first, over all pages.
Async<std::vector<SessionSummary>> since(StorePtr store, TimePoint cutoff);

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
