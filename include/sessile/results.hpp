// What the operations return, other than sessions.
#pragma once

#include <sessile/options.hpp>

#include <string>
#include <vector>

namespace sessile {

/// An acknowledged write.
class Written {
 public:
  Written() noexcept {}
  Revision revision = 0;
  Timestamp created_at;
  Timestamp updated_at;
  bool replayed = false;  ///< append: the idempotency key was known, nothing was written now

  friend bool operator==(const Written&, const Written&) = default;
};

/// A session without its bodies.
class SessionSummary {
 public:
  SessionSummary() noexcept {}
  SessionId id;
  AgentId agent_id;
  std::string user_id;
  std::string project_id;
  SessionId parent_id;
  std::string title;  ///< as title_of
  Timestamp created_at;
  Timestamp updated_at;
  Revision revision = 0;
  std::uint64_t message_count = 0;
  std::uint64_t stored_bytes = 0;
  bool pinned = false;

  friend bool operator==(const SessionSummary&, const SessionSummary&) = default;
};

/// The summary of a whole session; its revision and times are taken as they are.
SessionSummary summarize(const Session& session);

/// A page of a listing.
template <class T>
class Page {
 public:
  Page() noexcept {}
  std::vector<T> items;
  /// What is there and cannot be read: told once, on the first page, and never failing the rest. Each has
  /// path() and, where known, key().
  std::vector<Error> unreadable;
  /// For ListQuery::cursor; empty on the last page.
  std::string next;
};

/// A page of one agent's sessions, whole.
using AgentSessions = Page<SessionPtr>;

}  // namespace sessile
