#include "place.hpp"

#include "storage/replace_file.hpp"

#include <cerrno>
#include <utility>

namespace sessile::filesystem {

using storage::Directory;

Place::Place(std::shared_ptr<storage::FileSystem> files, std::filesystem::path path, MissingPlace missing)
    : files_(std::move(files)), path_(std::move(path)), missing_(missing) {}

std::shared_ptr<Directory> Place::opened() const {
  const std::lock_guard lock(mutex_);
  return directory_;
}

std::shared_ptr<Directory> Place::opened_for_writing() const {
  const std::lock_guard lock(mutex_);
  return for_writing_ ? directory_ : nullptr;
}

Result<std::shared_ptr<Directory>> Place::open() {
  if (auto known = opened()) return known;
  auto found = files_->open_directory(path_);
  if (!found) {
    if (found.error().value() == ENOENT && missing_ == MissingPlace::create) {
      return std::shared_ptr<Directory>();
    }
    return unavailable(found.error());
  }
  const std::lock_guard lock(mutex_);
  if (!directory_) directory_ = std::move(*found);
  return directory_;
}

Result<std::shared_ptr<Directory>> Place::open_for_writing(bool make) {
  if (auto known = opened_for_writing()) return known;
  if (!make || missing_ == MissingPlace::refuse) {
    auto existing = open();
    if (!existing || *existing == nullptr) return existing;
  }
  auto found = storage::open_or_make_directory(*files_, path_);
  if (!found) return unavailable(found.error());
  note_temporaries(**found);
  const std::lock_guard lock(mutex_);
  if (!for_writing_) directory_ = std::move(*found);
  for_writing_ = true;
  return directory_;
}

bool Place::let_go_if_replaced(const std::shared_ptr<Directory>& stale) {
  auto now = files_->open_directory(path_);
  if (now && (*now)->identity() == stale->identity()) return false;
  let_go(stale);
  return true;
}

bool Place::let_go_if_deleted(const std::shared_ptr<Directory>& stale) {
  if (!stale->deleted()) return false;
  let_go(stale);
  return true;
}

void Place::let_go(const std::shared_ptr<Directory>& stale) {
  const std::lock_guard lock(mutex_);
  if (directory_ != stale) return;
  directory_.reset();
  for_writing_ = false;
}

void Place::close() {
  std::shared_ptr<Directory> last;
  const std::lock_guard lock(mutex_);
  last.swap(directory_);
  for_writing_ = false;
}

void Place::note_temporaries(Directory& directory) {
  auto entries = directory.list();
  if (!entries) return;  // they only take room
  const std::lock_guard lock(mutex_);
  for (const auto& entry : *entries) {
    if (auto name = storage::name_of_temporary(entry.name)) with_temporaries_.emplace(*name);
  }
}

void Place::sweep(Directory& directory, const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (with_temporaries_.erase(name) == 0) return;
  }
  storage::sweep_temporaries(directory, name);
}

Error Place::unavailable(boost::system::error_code cause) const {
  std::string_view why = "cannot open the store's directory";
  if (cause.value() == ENOENT) why = "the store's directory does not exist, and create=false was asked for";
  if (cause.value() == ENOTDIR) why = "the store's place is not a directory";
  return Error(Errc::unavailable, why).with_path(path_.string()).with_cause(cause);
}

}  // namespace sessile::filesystem
