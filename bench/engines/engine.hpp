// What the benchmark measures beside Sessile's stores: rivals, baselines, and the bare system calls.
#pragma once

#include <sessile/lock_observer.hpp>
#include <sessile/result.hpp>
#include <sessile/session.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::bench {

/// Whether a write is on the device before it is acknowledged.
enum class Sync { no, yes };

/// One writer's handle on a rival: blocking, used by one thread at a time.
///
/// All of them store the JSON of encode_session and encode_message and parse what they fetch with
/// decode_session and decode_message, so that what differs is the storing.
class RivalClient {
 public:
  virtual ~RivalClient() = default;
  /// Inserts or replaces the session.
  virtual Result<void> save(const Session& session, Sync sync) = 0;
  /// Adds a message to a session that is there.
  virtual Result<void> append(const SessionId& id, const Message& message, Sync sync) = 0;
  virtual Result<SessionPtr> load(const SessionId& id) = 0;
  /// The agent's sessions, whole.
  virtual Result<std::vector<SessionPtr>> list_for_agent(const AgentId& agent) = 0;
  /// Runs `work` while every other writer of the session is kept out, and writes nothing. Errors: unsupported
  /// when the rival has nothing of the kind.
  virtual Result<void> hold(const SessionId& id, const std::function<void()>& work);
  /// Tells `observer` of the locks that save, append and hold take from now on; where they cannot be seen, of
  /// none.
  virtual void observe_locks(LockObserver observer);
};

/// A rival, opened once a process. Outlives its clients. connect() is called from one thread at a time.
class Rival {
 public:
  virtual ~Rival() = default;
  virtual Result<std::unique_ptr<RivalClient>> connect() = 0;
};

/// What can be chosen with --engine.
class RivalKind {
 public:
  std::string name;
  std::string version;         ///< of its library; empty when it has none
  bool many_processes = true;  ///< several processes may have it open at once
  bool peer = true;  ///< a store of its own; false: a bound or a baseline, not one to be compared with
  std::function<Result<std::unique_ptr<Rival>>(const std::filesystem::path& directory, Sync sync)> open;
};

/// Those this build has, in a fixed order.
const std::vector<RivalKind>& rival_kinds();
/// Null when this build has none of that name.
const RivalKind* find_rival(std::string_view name);

/// An io error about a rival: what was attempted, and its own words.
Error rival_error(std::string_view what, std::string_view words);
/// The same from errno.
Error system_error(std::string_view what, int error_number);

// One for each source file of this folder; those of libraries exist where the library was found.
RivalKind floor_kind();
RivalKind poll50_kind();
RivalKind sqlite_kind();
RivalKind lmdb_kind();
RivalKind leveldb_kind();
RivalKind rocksdb_kind();

}  // namespace sessile::bench
