// What can be asked of each operation. All types here are values with chainable setters:
//   store->save(session, SaveOptions().if_revision(7).timeout(2s))
#pragma once

#include <sessile/session.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace sessile {

/// What an acknowledged write survives. Later ones are stronger.
enum class Durability {
  none,     ///< nothing but the life of the store (memory)
  process,  ///< the death of the process, as by kill -9
  power,    ///< loss of power: synced to the device before it was acknowledged
};

/// What a write expects to find stored.
class RevisionCheck {
 public:
  /// Anything or nothing: the last writer wins.
  RevisionCheck() noexcept {}
  static RevisionCheck any() noexcept { return RevisionCheck(); }
  /// No session of that id.
  static RevisionCheck absent() noexcept { return RevisionCheck(Kind::absent, 0); }
  /// Exactly this revision.
  static RevisionCheck exactly(Revision revision) noexcept { return RevisionCheck(Kind::exactly, revision); }

  bool is_any() const noexcept { return kind_ == Kind::any; }
  bool is_absent() const noexcept { return kind_ == Kind::absent; }
  /// The revision asked for; empty for any() and absent().
  std::optional<Revision> revision() const noexcept {
    return kind_ == Kind::exactly ? std::optional(revision_) : std::nullopt;
  }

 private:
  enum class Kind { any, absent, exactly };
  RevisionCheck(Kind kind, Revision revision) noexcept : kind_(kind), revision_(revision) {}
  Kind kind_ = Kind::any;
  Revision revision_ = 0;
};

/// Who says when a session was created and updated.
enum class Times {
  stamp,     ///< the store's clock
  preserve,  ///< the Session given: for import and copy
};

namespace detail {
/// Options that every operation has. `Derived` is the type the setters return.
template <class Derived>
class CommonOptions {
 public:
  CommonOptions() noexcept {}
  /// Gives up, with timed_out or locked, when the commit point is not reached in time; 0 waits for ever, but
  /// for the lock's own deadline, as does more than the clock can hold. Measured on a monotonic clock from
  /// the start of the operation.
  Derived& timeout(std::chrono::milliseconds value) noexcept {
    timeout_ = value;
    return static_cast<Derived&>(*this);
  }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }

 private:
  std::chrono::milliseconds timeout_{0};
};

/// Options that every writing operation has.
template <class Derived>
class WriteOptions : public CommonOptions<Derived> {
 public:
  WriteOptions() noexcept {}
  /// What this write survives once acknowledged; default: what the store was opened with. Stronger than the
  /// backend's Capabilities::max_durability is unsupported.
  Derived& durability(Durability value) noexcept {
    durability_ = value;
    return static_cast<Derived&>(*this);
  }
  std::optional<Durability> durability() const noexcept { return durability_; }

  /// Refuses with conflict, writing nothing, unless this revision is stored.
  Derived& if_revision(Revision value) noexcept { return if_revision(RevisionCheck::exactly(value)); }
  Derived& if_revision(RevisionCheck value) noexcept {
    check_ = value;
    return static_cast<Derived&>(*this);
  }
  const RevisionCheck& if_revision() const noexcept { return check_; }

  /// For implementations: the size, as compact JSON, of the session or messages being written. SessionStore
  /// sets it when it has measured them; what a caller sets is overwritten.
  Derived& measured_bytes(std::uint64_t value) noexcept {
    measured_bytes_ = value;
    return static_cast<Derived&>(*this);
  }
  std::uint64_t measured_bytes() const noexcept { return measured_bytes_; }

 private:
  std::uint64_t measured_bytes_ = 0;
  std::optional<Durability> durability_;
  RevisionCheck check_;
};
}  // namespace detail

class SaveOptions : public detail::WriteOptions<SaveOptions> {
 public:
  SaveOptions() noexcept {}
  /// Creates: refuses with conflict when the id is taken.
  SaveOptions& if_absent() noexcept { return if_revision(RevisionCheck::absent()); }
  /// Refuses with conflict unless the stored session is still the one `session` was loaded from.
  SaveOptions& unchanged_since(const Session& session) noexcept {
    return if_revision(session.revision == 0 ? RevisionCheck::absent()
                                             : RevisionCheck::exactly(session.revision));
  }
  SaveOptions& times(Times value) noexcept { return times_ = value, *this; }
  Times times() const noexcept { return times_; }

 private:
  Times times_ = Times::stamp;
};

class LoadOptions : public detail::CommonOptions<LoadOptions> {
 public:
  LoadOptions() noexcept {}
  /// Leaves out all but the last `count` messages; the Session is marked partial when that left any out.
  LoadOptions& last_messages(std::uint64_t count) noexcept { return last_messages_ = count, *this; }
  /// Leaves out all messages.
  LoadOptions& without_messages() noexcept { return last_messages(0); }
  std::optional<std::uint64_t> last_messages() const noexcept { return last_messages_; }

 private:
  std::optional<std::uint64_t> last_messages_;
};

class RemoveOptions : public detail::WriteOptions<RemoveOptions> {
 public:
  RemoveOptions() noexcept {}
};

class UpdateOptions : public detail::WriteOptions<UpdateOptions> {
 public:
  UpdateOptions() noexcept {}
};

class AppendOptions : public detail::WriteOptions<AppendOptions> {
 public:
  AppendOptions() noexcept {}
  /// Makes the append idempotent: 1 to 200 bytes of UTF-8. The last 64 keys of a session are remembered. A
  /// replay writes nothing and returns the first Written, with replayed set; it is recognised before
  /// if_revision is looked at. Other messages under a remembered key: invalid_argument.
  AppendOptions& idempotency_key(std::string value) { return key_ = std::move(value), *this; }
  const std::string& idempotency_key() const noexcept { return key_; }

 private:
  std::string key_;
};

/// The order of a listing.
enum class Order {
  newest_first,  ///< by updated_at, the latest first; ties by the bytes of the id
  id,            ///< by the bytes of the id: yields every session that existed throughout
};

class ListQuery : public detail::CommonOptions<ListQuery> {
 public:
  ListQuery() noexcept {}
  ListQuery& agent(AgentId value) { return agent_ = std::move(value), *this; }
  ListQuery& user(std::string value) { return user_ = std::move(value), *this; }
  /// Only sessions of this project; an empty name: of none.
  ListQuery& project(std::string value) { return project_ = std::move(value), *this; }
  /// Only sessions updated at this time or later.
  ListQuery& updated_since(TimePoint value) noexcept { return updated_since_ = value, *this; }
  ListQuery& order(Order value) noexcept { return order_ = value, *this; }
  /// At most this many a page: 1 to 10,000, else invalid_argument; 100 unless said.
  ListQuery& limit(std::size_t value) noexcept { return limit_ = value, *this; }
  /// Continues after the page that returned this Page::next. A cursor is bound to its filters and order
  /// (another query: invalid_argument), and stays valid when the store is reopened.
  ListQuery& cursor(std::string value) { return cursor_ = std::move(value), *this; }
  /// list_for_agent: a page ends when its sessions reach this size; at least one is returned.
  ListQuery& byte_budget(std::uint64_t bytes) noexcept { return byte_budget_ = bytes, *this; }

  const std::optional<AgentId>& agent() const noexcept { return agent_; }
  const std::optional<std::string>& user() const noexcept { return user_; }
  const std::optional<std::string>& project() const noexcept { return project_; }
  const std::optional<TimePoint>& updated_since() const noexcept { return updated_since_; }
  Order order() const noexcept { return order_; }
  std::size_t limit() const noexcept { return limit_; }
  const std::string& cursor() const noexcept { return cursor_; }
  std::uint64_t byte_budget() const noexcept { return byte_budget_; }

 private:
  std::optional<AgentId> agent_;
  std::optional<std::string> user_;
  std::optional<std::string> project_;
  std::optional<TimePoint> updated_since_;
  Order order_ = Order::newest_first;
  std::size_t limit_ = 100;
  std::string cursor_;
  std::uint64_t byte_budget_ = std::uint64_t{64} << 20;
};

/// The largest ListQuery::limit.
inline constexpr std::size_t kMaxPageSize = 10000;

}  // namespace sessile
