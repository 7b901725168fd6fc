#include "storage/file_system.hpp"

#include <cerrno>
#include <utility>

namespace sessile::storage {

namespace {

bool is(boost::system::error_code error, int number) {
  return error == boost::system::error_code(number, boost::system::system_category());
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

}  // namespace

SysResult<std::unique_ptr<File>> Directory::open_cached(const std::string&) {
  return boost::system::error_code(EWOULDBLOCK, boost::system::system_category());
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
