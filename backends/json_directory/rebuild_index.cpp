#include "session_log.hpp"
#include "storage/replace_file.hpp"

#include <boost/system/errc.hpp>

#include <set>

namespace sessile::json_directory {

namespace {

using storage::Directory;

/// The lock of one session, tried once: who has it keeps the index right himself.
class TriedLock {
 public:
  TriedLock(const Place& place, const std::string& name, LockPrimitive primitive)
      : lock_(place.locks->try_lock(name + ".lock", primitive)) {}
  bool held() const { return lock_.has_value(); }

 private:
  storage::SysResult<std::unique_ptr<storage::LockFile>> lock_;
};

bool is_entry(Directory& entries, const std::string& name) {
  return entries.info(name).has_value();
}

class Rebuild {
 public:
  Rebuild(const Place& place, LockPrimitive primitive, const Limits& limits)
      : place_(place), primitive_(primitive), limits_(limits) {}

  Result<IndexRepair> run() {
    auto sessions = place_.sessions->list();
    if (!sessions) return storage::system_error(sessions.error(), "cannot list", *place_.sessions, ".");
    for (const auto& entry : *sessions) {
      if (auto added = index(entry.name); !added) return added.error();
    }
    auto agents = place_.agents->list();
    if (!agents) return storage::system_error(agents.error(), "cannot list", *place_.agents, ".");
    for (const auto& agent : *agents) {
      if (auto swept = sweep(agent.name); !swept) return swept.error();
    }
    return std::move(repair_);
  }

 private:
  Result<void> index(const std::string& file) {
    const auto name = name_of_log(file);
    if (!name) return sweep_temporary(file);
    const TriedLock lock(place_, *name, primitive_);
    if (!lock.held()) return ++repair_.busy, success();
    auto summary = read_summary(*place_.sessions, file, limits_);
    if (!summary) {
      if (summary.error().code() != Errc::not_found) repair_.unreadable.push_back(summary.error());
      return success();
    }
    const std::string agent = file_name(summary->agent_id.str());
    auto entries = place_.agents->open_directory(agent);
    if (!entries || !is_entry(**entries, *name)) ++repair_.added;
    return place_.add_to_index(summary->agent_id, *name, Durability::power);
  }

  /// `file` is a dead writer's when it is a temporary one and its session's lock is free.
  Result<void> sweep_temporary(const std::string& file) {
    const std::size_t end = file.find(std::string(kLogExtension) + ".tmp.");
    if (end == std::string::npos) return success();
    const std::string name = file.substr(0, end);
    const TriedLock lock(place_, name, primitive_);
    if (lock.held() && storage::is_temporary_of(file, name + std::string(kLogExtension))) {
      (void)place_.sessions->remove(file);
    }
    return success();
  }

  /// Drops the entries of `agent` that no log bears out.
  Result<void> sweep(const std::string& agent) {
    auto entries = place_.agents->open_directory(agent);
    if (!entries) return success();
    auto listed = (*entries)->list();
    if (!listed) return storage::system_error(listed.error(), "cannot list", *place_.agents, agent);
    for (const auto& entry : *listed) {
      const TriedLock lock(place_, entry.name, primitive_);
      if (!lock.held()) continue;
      auto summary = read_summary(*place_.sessions, entry.name + std::string(kLogExtension), limits_);
      const bool gone = !summary && summary.error().code() == Errc::not_found;
      const bool moved = summary && file_name(summary->agent_id.str()) != agent;
      if (!gone && !moved) continue;
      if ((*entries)->remove(entry.name)) ++repair_.dropped;
    }
    return success();
  }

  const Place& place_;
  const LockPrimitive primitive_;
  const Limits& limits_;
  IndexRepair repair_;
};

}  // namespace

Result<IndexRepair> rebuild_index(const Place& place, LockPrimitive primitive, const Limits& limits) {
  return Rebuild(place, primitive, limits).run();
}

}  // namespace sessile::json_directory
