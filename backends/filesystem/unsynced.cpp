#include "unsynced.hpp"

#include "storage/replace_file.hpp"

#include <cerrno>
#include <utility>
#include <vector>

namespace sessile::filesystem {

using storage::Directory;

namespace {

Error lost(const Directory& directory, std::string_view file, boost::system::error_code cause) {
  return Error(
             Errc::indeterminate,
             "could not be synced: whether it survives a loss of power is not known until it is written anew")
      .with_path((directory.path() / file).string())
      .with_cause(cause);
}

}  // namespace

void Unsynced::wrote(const std::string& file, Durability durability) {
  const std::lock_guard lock(mutex_);
  failed_.erase(file);
  if (durability == Durability::power) {
    files_.erase(file);
    return;
  }
  directory_ = true;
  if (files_.size() < kMost) {
    files_.insert(file);
  } else {
    all_ = true;
  }
}

void Unsynced::removed(const std::string& file, Durability durability) {
  const std::lock_guard lock(mutex_);
  failed_.erase(file);
  files_.erase(file);
  if (durability != Durability::power) directory_ = true;
}

Result<void> Unsynced::sync_file(Directory& directory, const std::string& file) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_.contains(file)) return lost(directory, file, {});
  }
  auto opened = directory.open_file(file, storage::OpenMode::read);
  if (!opened) {
    if (opened.error().value() == ENOENT) return success();
    // Nothing is lost yet: the next flush tries again.
    wrote(file, Durability::process);
    return storage::system_error(opened.error(), "cannot open the file to sync it", directory, file);
  }
  auto synced = (*opened)->sync_data();
  if (synced) return success();
  const std::lock_guard lock(mutex_);
  failed_.insert(file);
  return lost(directory, file, synced.error());
}

Result<void> Unsynced::sync_directory(Directory& directory) {
  auto synced = directory.sync();
  const std::lock_guard lock(mutex_);
  if (!synced) directory_failed_ = true;
  if (!directory_failed_) return success();
  return lost(directory, "", synced ? boost::system::error_code() : synced.error());
}

Result<void> Unsynced::sync(Directory& directory) {
  std::set<std::string> files;
  {
    const std::lock_guard lock(mutex_);
    files.swap(files_);
    files.insert(failed_.begin(), failed_.end());
    const bool all = std::exchange(all_, false);
    const bool entries = std::exchange(directory_, false);
    if (!entries && !directory_failed_ && files.empty()) return success();
    if (all) {
      auto listed = directory.list();
      if (!listed) {
        all_ = directory_ = true;
        return lost(directory, "", listed.error());
      }
      for (const auto& entry : *listed) {
        if (entry.kind == storage::FileKind::regular && entry.name.ends_with(".json")) {
          files.insert(entry.name);
        }
      }
    }
  }
  Result<void> first = success();
  for (const auto& file : files) {
    auto synced = sync_file(directory, file);
    if (!synced && first) first = synced.error();
  }
  auto entries = sync_directory(directory);
  if (!entries && first) first = entries.error();
  return first;
}

Result<void> Unsynced::sync(Directory& directory, const std::string& file) {
  if (auto synced = sync_file(directory, file); !synced) return synced;
  return sync_directory(directory);
}

}  // namespace sessile::filesystem
