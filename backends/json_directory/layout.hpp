// The directories of a store and the names in them.
#pragma once

#include "compaction_register.hpp"
#include "compaction_settings.hpp"
#include "log_cache.hpp"
#include "storage/file_system.hpp"

#include <sessile/ids.hpp>
#include <sessile/open.hpp>
#include <sessile/result.hpp>
#include <sessile/verify.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sessile::json_directory {

inline constexpr std::string_view kLogExtension = ".jsonl";

/// `{name}.jsonl`: the file name of a session's log.
std::string log_name(const SessionId& id);
/// The name without `.jsonl`; empty when `entry` is not a log's.
std::optional<std::string> name_of_log(std::string_view entry);

/// The opened directories of one store. Thread-safe.
class Place {
 public:
  Place() {}
  std::shared_ptr<storage::Directory> root;
  std::shared_ptr<storage::Directory> sessions;
  std::shared_ptr<storage::Directory> locks;   ///< null: opened to read, and there is none to open
  std::shared_ptr<storage::Directory> agents;  ///< null: opened to read, and there is none
  std::shared_ptr<LogCache> cache;
  std::shared_ptr<CompactionRegister> compactions;
  CompactionSettings compaction;

  /// Makes the index entry of `name` under `agent`, and with Durability::power makes it durable. Repeatable.
  Result<void> add_to_index(const AgentId& agent, const std::string& name, Durability durability) const;
  /// Drops the entry. What cannot be dropped now is dropped by a repair; readers overlook it.
  void drop_from_index(const AgentId& agent, const std::string& name) const;
  /// The names in the index of `agent`, in no order.
  Result<std::vector<std::string>> indexed(const AgentId& agent) const;
  /// The names of all logs, in no order.
  Result<std::vector<std::string>> logs() const;
  /// Makes the log's own entry durable.
  Result<void> sync_sessions() const;

 private:
  /// The directory of an agent's entries, made when missing; its own entry is durable.
  Result<std::shared_ptr<storage::Directory>> agent_directory(const std::string& agent_name) const;

  mutable std::mutex mutex_;
  mutable std::set<std::string> durable_agents_;  // protected by mutex_
};

/// Finds, makes and opens the directories of a store: once, then it hands out what is open. Thread-safe.
class Layout {
 public:
  Layout(std::shared_ptr<storage::FileSystem> files, std::filesystem::path root, MissingPlace missing,
         CompactionSettings compaction = CompactionSettings());

  /// Null when there is nothing yet. Errors: unavailable when the place is missing and may not be;
  /// unsupported when it is another engine's, or of a newer format; corrupt when its sessile.json cannot be
  /// read.
  Result<std::shared_ptr<const Place>> open_to_read();
  /// Makes what is missing. Errors: as open_to_read, io, unavailable.
  Result<std::shared_ptr<const Place>> open_to_write();

  /// Puts a sessile.json that cannot be read into quarantine, and a new one in its place. What it was is
  /// known from the directories beside it.
  Result<void> renew_marker(Finding& finding);

  /// What open_to_write returned before, without blocking; null when it has not yet.
  std::shared_ptr<const Place> opened_to_write();
  /// The same of open_to_read.
  std::shared_ptr<const Place> opened_to_read();

 private:
  /// A place without directories yet.
  std::shared_ptr<Place> new_place() const;
  Result<std::shared_ptr<storage::Directory>> open_root(bool make);
  void opened(std::shared_ptr<const Place> readable, std::shared_ptr<const Place> writable);
  Result<void> check_marker(storage::Directory& root, bool make);

  const std::shared_ptr<storage::FileSystem> files_;
  const std::filesystem::path root_;
  const MissingPlace missing_;
  const CompactionSettings compaction_;
  const std::shared_ptr<LogCache> cache_;
  const std::shared_ptr<CompactionRegister> compactions_;
  std::mutex opening_;                     // held while directories are opened; taken before mutex_
  std::mutex mutex_;                       // never held over what may block
  std::shared_ptr<const Place> readable_;  // protected by mutex_
  std::shared_ptr<const Place> writable_;  // protected by mutex_
};

}  // namespace sessile::json_directory
