// The store of one readable JSON file a session.
#pragma once

#include "place.hpp"
#include "storage/advisory_lock.hpp"
#include "unsynced.hpp"

#include <sessile/backend.hpp>
#include <sessile/store.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sessile::filesystem {

/// See backends/filesystem/README.md for the format and the promises.
///
/// Writers of one session, in all processes, are one after the other under its sidecar's lock; readers take
/// none, since a rename makes every visible file complete. All blocking work runs on the pool, where possible
/// in one crossing an operation.
class FilesystemStore final : public SessionStore {
 public:
  FilesystemStore(std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory,
                  LockOptions lock, OpenOptions options);

 private:
  /// Where a session's file is, or will be.
  class Target {
   public:
    Target() {}
    std::shared_ptr<storage::Directory> directory;  ///< null: there is none, and so no session
    std::string file;
  };
  class Changed;

  Async<Written> do_save(SessionPtr session, SaveOptions options) override;
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override;
  Async<Page<SessionSummary>> do_list(ListQuery query) override;
  Async<void> do_remove(SessionId id, RemoveOptions options) override;
  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override;
  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override;
  Async<void> do_flush() override;
  Async<VerifyReport> do_verify(VerifyOptions options) override;
  Async<void> do_close() override;

  /// Finds the file of `id` for a writer; with `make` the directory is made when missing.
  Async<Target> locate(SessionId id, bool make);
  Result<Target> locate_now(const SessionId& id, bool make);
  bool still_right(const Target& target, const SessionId& id) const;
  storage::AdvisoryLock lock_of(const Target& target) const;

  /// Whether the operation that failed so may begin again: its directory is not the store's any more.
  asio::awaitable<bool> was_replaced(const Target& target);
  /// Runs `work(target, gate)` on the pool under the lock of the session's file. When the directory, or the
  /// file that is the session's, turns out to be another one, starts again.
  template <class T, class Work>
  Async<T> under_lock(SessionId id, bool make, std::chrono::milliseconds timeout, Work work);

  // What each operation does on the pool; these block.
  Result<SessionPtr> load_now(const SessionId& id, const LoadOptions& options);
  Result<Page<SessionSummary>> list_now(const ListQuery& query, const storage::CommitGate& gate);
  Result<std::optional<StoredSession>> read_now(const Target& target, const SessionId& id) const;
  Result<Written> save_now(const Target& target, const Session& session, const SaveOptions& options,
                           storage::CommitGate& gate);
  Result<void> remove_now(const Target& target, const SessionId& id, const RemoveOptions& options,
                          storage::CommitGate& gate);
  Result<Written> append_now(const Target& target, const SessionId& id, const std::vector<Message>& messages,
                             const AppendOptions& options, storage::CommitGate& gate);
  /// For a write that finds the session as it would make it: what is there was perhaps written with less
  /// durability than this one promises, or by one who was killed before it had synced.
  Result<void> settle(const Target& target, Durability durability);
  /// Writes `session`, stamped.
  Result<void> write_now(const Target& target, const Session& session, const Written& stamp,
                         const AppendMemory& appends, Durability durability, storage::CommitGate& gate);

  const LockOptions lock_;
  const Stamper stamper_;
  // Shared with the jobs that close what they hold.
  const std::shared_ptr<Place> place_;
  Unsynced unsynced_;
};

}  // namespace sessile::filesystem
