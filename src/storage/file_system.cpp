#include "storage/file_system.hpp"

#include <cerrno>
#include <utility>

namespace sessile::storage {

namespace {

boost::system::error_code os_error(int number) {
  return boost::system::error_code(number, boost::system::system_category());
}

bool is(boost::system::error_code error, int number) {
  return error == os_error(number);
}

/// `path` without trailing separators, so that its last component has a name.
std::filesystem::path without_trailing_separator(std::filesystem::path path) {
  while (!path.has_filename() && path.has_relative_path())
    path = path.parent_path();
  return path;
}

/// The parent's entry for a directory may be unsynced even when the directory was there already: its maker
/// may have been killed in between. A parent that we may pass through but not read cannot be synced by us,
/// and was not written to by us either.
SysResult<void> sync_parent(FileSystem& files, const std::filesystem::path& parent) {
  auto opened = files.open_directory(parent);
  if (!opened) {
    if (is(opened.error(), EACCES)) return {};
    return opened.error();
  }
  return (*opened)->sync();
}

std::filesystem::path parent_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// A sidecar of a file system that only knows how to try: opened anew each time.
class RetriedSidecar final : public Sidecar {
 public:
  RetriedSidecar(Directory& directory, std::string name, LockPrimitive primitive)
      : directory_(directory), name_(std::move(name)), primitive_(primitive) {}
  SysResult<void> try_lock() override {
    auto lock = directory_.try_lock(name_, primitive_);
    if (!lock) return lock.error();
    lock_ = std::move(*lock);
    return {};
  }
  SysResult<std::unique_ptr<Watch>> watch(WatchCallback) override { return os_error(ENOSYS); }

 private:
  Directory& directory_;
  const std::string name_;
  const LockPrimitive primitive_;
  std::unique_ptr<LockFile> lock_;
};

}  // namespace

SysResult<std::unique_ptr<Sidecar>> Directory::open_sidecar(const std::string& name,
                                                            LockPrimitive primitive) {
  return std::make_unique<RetriedSidecar>(*this, name, primitive);
}

SysResult<std::unique_ptr<LinePlace>> Directory::stand_in_line(const std::string&, Arrival) {
  return os_error(ENOSYS);
}

void Directory::ring_for_next(const std::string&) noexcept {}

bool Directory::anybody_in_line(const std::string&, Arrival) noexcept {
  return false;
}

SysResult<std::unique_ptr<File>> Directory::open_cached(const std::string&) {
  return os_error(EWOULDBLOCK);
}

SysResult<std::shared_ptr<Directory>> open_or_make_directory(FileSystem& files,
                                                             const std::filesystem::path& path) {
  const auto wanted = without_trailing_separator(path);
  auto existing = files.open_directory(wanted);
  if (existing) {
    if (auto synced = sync_parent(files, parent_of(wanted)); !synced) return synced.error();
    return existing;
  }
  if (!is(existing.error(), ENOENT) || !wanted.has_filename()) return existing.error();
  auto parent = open_or_make_directory(files, parent_of(wanted));
  if (!parent) return parent.error();
  return open_or_make_directory(**parent, wanted.filename().string());
}

SysResult<std::shared_ptr<Directory>> open_or_make_directory(Directory& parent, const std::string& name) {
  auto made = parent.make_directory(name);
  if (!made && !is(made.error(), EEXIST)) return made.error();
  auto opened = parent.open_directory(name);
  if (!opened) return opened;
  if (auto synced = parent.sync(); !synced) return synced.error();
  return opened;
}

}  // namespace sessile::storage
