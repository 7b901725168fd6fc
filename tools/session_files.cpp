#include "session_files.hpp"

#include <sessile/backend.hpp>
#include <sessile/open.hpp>

#include <fstream>
#include <vector>

namespace sessile::tools {
namespace {

namespace fs = std::filesystem;

// Named after the id, whatever the folder and the extension; not the lock and its queue, which others may
// hold.
Result<std::vector<fs::path>> files_of(const fs::path& directory, const SessionId& id) {
  const std::string name = file_name(id.str());
  std::vector<fs::path> files;
  std::error_code failed;
  fs::recursive_directory_iterator entry(directory, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    const std::string file = entry->path().filename().string();
    const bool named = file == name || file.starts_with(name + '.');
    std::error_code unknown;
    const bool lock = file.ends_with(".lock") || file.ends_with(".lock.queue");
    if (named && !lock && fs::is_regular_file(entry->symlink_status(unknown))) {
      files.push_back(entry->path());
    }
  }
  if (!failed) return files;
  return Error(Errc::io, "cannot read the directory of the store")
      .with_path(directory.string())
      .with_cause({failed.value(), boost::system::system_category()});
}

}  // namespace

std::optional<fs::path> directory_of(const std::string& store_url) {
  const Result<StoreUrl> url = StoreUrl::parse(store_url);
  if (!url || (url->scheme != "file" && url->scheme != "jsondir")) return std::nullopt;
  return fs::path(url->rest);
}

Result<void> damage_session(const fs::path& directory, const SessionId& id) {
  const Result<std::vector<fs::path>> files = files_of(directory, id);
  if (!files) return files.error();
  if (files->empty()) return Error(Errc::not_found, "no file of the store is named after the id");
  for (const fs::path& file : *files) {
    std::error_code unknown;
    if (fs::file_size(file, unknown) == 0) continue;  // an entry of an index: its name is all of it
    std::ofstream(file, std::ios::binary | std::ios::trunc) << "{\"damaged\": on purpose, \x01\xff";
  }
  return success();
}

Result<void> discard_session(const fs::path& directory, const SessionId& id) {
  const Result<std::vector<fs::path>> files = files_of(directory, id);
  if (!files) return files.error();
  for (const fs::path& file : *files) {
    std::error_code gone;
    fs::remove(file, gone);
  }
  return success();
}

}  // namespace sessile::tools
