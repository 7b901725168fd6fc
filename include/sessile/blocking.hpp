// The operations for programs without coroutines: each waits, on the calling thread, for the store's own.
#pragma once

#include <sessile/store.hpp>

#include <vector>

/// Each function is the operation of the same name, run to its end on a context of its own; the store may be
/// shared with asynchronous users. Blocks the calling thread. Errors: as the operation; unsupported when
/// called from one of the store's internal threads, or of the asio::thread_pool that OpenOptions::executor
/// gave it, where waiting could wait for itself. Thread-safe.
namespace sessile::blocking {

Result<Written> save(SessionStore& store, SessionPtr session, SaveOptions options = SaveOptions());
Result<Written> save(SessionStore& store, Session session, SaveOptions options = SaveOptions());
Result<Written> save(SessionStore& store, std::shared_ptr<Session> session,
                     SaveOptions options = SaveOptions());
Result<SessionPtr> load(SessionStore& store, SessionId id, LoadOptions options = LoadOptions());
Result<Page<SessionSummary>> list(SessionStore& store, ListQuery query = ListQuery());
Result<void> remove(SessionStore& store, SessionId id, RemoveOptions options = RemoveOptions());
Result<AgentSessions> list_for_agent(SessionStore& store, AgentId agent, ListQuery query = ListQuery());
Result<SessionPtr> update(SessionStore& store, SessionId id, Mutation mutation,
                          UpdateOptions options = UpdateOptions());
Result<Written> append(SessionStore& store, SessionId id, std::vector<Message> messages,
                       AppendOptions options = AppendOptions());
Result<void> flush(SessionStore& store);
Result<VerifyReport> verify(SessionStore& store, VerifyOptions options = VerifyOptions());
Result<void> close(SessionStore& store);

}  // namespace sessile::blocking
