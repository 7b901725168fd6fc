// Random operations of several coroutines on a few sessions, written down as they happen.
#pragma once

#include "linearizability/history.hpp"

#include <sessile/store.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace sessile::linearizability {

using StorePtr = std::shared_ptr<SessionStore>;

/// What one round does.
class Round {
 public:
  Round() {}
  /// Opens the store under test; called in each process.
  std::function<Result<StorePtr>()> open;
  std::string name;  ///< the sessions are `name-0`, `name-1` …
  std::uint64_t seed = 0;
  int processes = 1;
  int clients = 3;     ///< coroutines a process
  int operations = 8;  ///< a coroutine
  int sessions = 2;
  bool large_messages = false;  ///< so that logs are rewritten in the middle
  bool kill_one = false;        ///< one process is killed somewhere on the way
  bool verifies = false;        ///< each process its store in the end, for one that nobody else reaches
};

/// Does one operation on the session `id` and notes how it ended. Throws std::runtime_error for an answer
/// that no operation may give, and for a session that nobody wrote. `operation` must outlive the coroutine.
asio::awaitable<void> perform(StorePtr store, SessionId id, Operation& operation, bool large_messages,
                              std::chrono::milliseconds timeout);

/// Does the operations of one process; writes each to `journal` (a descriptor opened to append) before it
/// starts and after it returned. What no operation may answer is a line `bad …`.
void record_process(const Round& round, int process, int journal);

/// Runs a round in processes of its own, made by fork: this one must not have started a thread. Journals are
/// files in `directory`. Throws std::runtime_error when a process failed otherwise than by its kill.
History record(const Round& round, const std::filesystem::path& directory);

}  // namespace sessile::linearizability
