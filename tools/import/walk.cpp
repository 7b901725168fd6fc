#include "import/importer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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

void walk(const std::shared_ptr<const Root>& root, const fs::path& directory,
          std::vector<TranscriptFile>& files, std::vector<Unvisited>& unvisited) {
  std::error_code failed;
  fs::directory_iterator entry(directory, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    std::error_code unknown;
    const fs::file_status status = entry->symlink_status(unknown);
    if (fs::is_symlink(status)) {
      unvisited.push_back({entry->path().string(), "a symbolic link, not followed"});
    } else if (fs::is_directory(status)) {
      walk(root, entry->path(), files, unvisited);
    } else if (is_transcript_name(entry->path())) {
      files.emplace_back(root, entry->path());
    }
  }
  if (failed) unvisited.push_back({directory.string(), failed.message()});
}

}  // namespace

Result<std::vector<TranscriptFile>> transcript_files(const fs::path& path,
                                                     std::vector<Unvisited>& unvisited) {
  std::error_code failed;
  const fs::path place = fs::canonical(path, failed);
  if (failed) return walk_failure(path, failed);
  std::vector<TranscriptFile> files;
  if (!fs::is_directory(place, failed)) {
    if (failed) return walk_failure(path, failed);
    files.emplace_back(place);
    return files;
  }
  // An unreadable directory is an error when it was named itself.
  struct stat status {};
  if (::access(place.c_str(), R_OK) != 0 || ::stat(place.c_str(), &status) != 0)
    return walk_failure(path, std::error_code(errno, std::system_category()));
  walk(std::make_shared<const Root>(place, status), place, files, unvisited);
  std::sort(files.begin(), files.end(),
            [](const TranscriptFile& a, const TranscriptFile& b) { return a.path() < b.path(); });
  return files;
}

}  // namespace sessile::importing
