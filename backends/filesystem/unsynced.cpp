#include "unsynced.hpp"

#include "storage/poison_mark.hpp"
#include "storage/replace_file.hpp"

#include <cerrno>

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

void Unsynced::wrote(Directory& directory, const std::string& file, bool marked, Durability durability) {
  if (marked) storage::clear_poison(directory, file);
  // A flush beside this, which takes no lock, may have failed with the new file already.
  const bool failed = storage::is_poisoned(directory, file);
  const std::lock_guard lock(mutex_);
  if (!failed) failed_.erase(file);
  if (durability == Durability::power) {
    files_.erase(file);
    return;
  }
  note(file);
}

void Unsynced::found(const std::string& file) {
  const std::lock_guard lock(mutex_);
  note(file);
}

void Unsynced::note(const std::string& file) {
  directory_ = ++writes_;
  if (files_.size() < kMost) {
    files_[file] = writes_;
  } else {
    all_ = writes_;
  }
}

void Unsynced::removed(Directory& directory, const std::string& file, Durability durability) {
  storage::clear_poison(directory, file);
  const std::lock_guard lock(mutex_);
  failed_.erase(file);
  files_.erase(file);
  if (durability != Durability::power) directory_ = ++writes_;
}

Result<void> Unsynced::sync_file(Directory& directory, const std::string& file) {
  if (storage::is_poisoned(directory, file)) {
    failed(file);
    return lost(directory, file, {});
  }
  auto opened = directory.open_file(file, storage::OpenMode::read);
  if (!opened) {
    if (opened.error().value() == ENOENT) return success();
    return storage::system_error(opened.error(), "cannot open the file to sync it", directory, file);
  }
  auto synced = (*opened)->sync_data();
  if (!synced) {
    failed(file);
    storage::mark_poisoned(directory, file);
    return lost(directory, file, synced.error());
  }
  // What another flush beside this one was told the kernel does not say twice.
  if (storage::is_poisoned(directory, file)) return lost(directory, file, {});
  const std::lock_guard lock(mutex_);
  failed_.erase(file);
  return success();
}

void Unsynced::failed(const std::string& file) {
  const std::lock_guard lock(mutex_);
  failed_.insert(file);
  files_.erase(file);
}

Result<void> Unsynced::sync_directory(Directory& directory) {
  auto synced = directory.sync();
  const std::lock_guard lock(mutex_);
  directory_failed_ = !synced;
  if (synced) return success();
  return lost(directory, "", synced.error());
}

void Unsynced::synced(const Noted& noted) {
  const std::lock_guard lock(mutex_);
  std::erase_if(files_, [&noted](const auto& file) { return file.second <= noted.write; });
  if (all_ <= noted.write) all_ = 0;
  if (directory_ <= noted.write) directory_ = 0;
}

Unsynced::Noted Unsynced::noted() {
  Noted noted;
  const std::lock_guard lock(mutex_);
  for (const auto& file : files_)
    noted.files.insert(file.first);
  noted.files.insert(failed_.begin(), failed_.end());
  noted.write = writes_;
  noted.all = all_ != 0;
  noted.directory = directory_ != 0 || directory_failed_;
  return noted;
}

Result<void> Unsynced::sync(Directory& directory) {
  Noted taken = noted();
  if (!taken.directory && taken.files.empty()) return success();
  if (taken.all) {
    auto listed = directory.list();
    if (!listed) return lost(directory, "", listed.error());
    for (const auto& entry : *listed) {
      if (entry.kind == storage::FileKind::regular && entry.name.ends_with(".json")) {
        taken.files.insert(entry.name);
      }
    }
  }
  Result<void> first = success();
  for (const auto& file : taken.files) {
    auto done = sync_file(directory, file);
    if (!done && first) first = done.error();
  }
  auto entries = sync_directory(directory);
  if (!entries && first) first = entries.error();
  if (first) synced(taken);
  return first;
}

Result<void> Unsynced::sync(Directory& directory, const std::string& file) {
  if (auto synced = sync_file(directory, file); !synced) return synced;
  return sync_directory(directory);
}

}  // namespace sessile::filesystem
