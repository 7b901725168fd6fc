#include "import/importer.hpp"

#include <algorithm>

namespace sessile::importing {
namespace fs = std::filesystem;
namespace {

Error walk_failure(const fs::path& path, const std::error_code& cause) {
  return Error(Errc::io, "cannot read this place")
      .with_path(path.string())
      .with_cause({cause.value(), boost::system::system_category()});
}

bool is_transcript_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".jsonl" || extension == ".json";
}

void walk(const fs::path& directory, std::vector<fs::path>& files, std::vector<Unvisited>& unvisited) {
  std::error_code failed;
  fs::directory_iterator entry(directory, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    std::error_code unknown;
    const fs::file_status status = entry->symlink_status(unknown);
    if (fs::is_symlink(status)) {
      unvisited.push_back({entry->path().string(), "a symbolic link, not followed"});
    } else if (fs::is_directory(status)) {
      walk(entry->path(), files, unvisited);
    } else if (is_transcript_name(entry->path())) {
      files.push_back(entry->path());
    }
  }
  if (failed) unvisited.push_back({directory.string(), failed.message()});
}

}  // namespace

Result<std::vector<fs::path>> transcript_files(const fs::path& path, std::vector<Unvisited>& unvisited) {
  std::error_code failed;
  const fs::path place = fs::canonical(path, failed);
  if (failed) return walk_failure(path, failed);
  std::vector<fs::path> files;
  if (!fs::is_directory(place, failed)) {
    if (failed) return walk_failure(path, failed);
    files.push_back(place);
    return files;
  }
  fs::directory_iterator(place, failed);  // an unreadable directory is an error when it was named itself
  if (failed) return walk_failure(path, failed);
  walk(place, files, unvisited);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace sessile::importing
