// A transcript that was named or found, and how it is opened.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <utility>

namespace sessile::importing {

/// A directory that was named. It is not held open, since there may be thousands, but known again.
class Root {
 public:
  /// `place`: without symbolic links. `status`: of the directory that is there.
  Root(std::filesystem::path place, const struct stat& status) noexcept
      : path_(std::move(place)), device_(status.st_dev), inode_(status.st_ino) {}

  const std::filesystem::path& path() const noexcept { return path_; }
  /// A descriptor of it; -1 and errno when another one has its place by now (ESTALE), or as open(2) says.
  int open() const;

 private:
  const std::filesystem::path path_;
  const dev_t device_;
  const ino_t inode_;
};

/// A file that may be a transcript.
class TranscriptFile {
 public:
  /// One that was named itself.
  explicit TranscriptFile(std::filesystem::path named) : path_(std::move(named)) {}
  /// One that was found: `found` lies below `root`.
  TranscriptFile(std::shared_ptr<const Root> root, std::filesystem::path found)
      : root_(std::move(root)), path_(std::move(found)) {}

  const std::filesystem::path& path() const noexcept { return path_; }
  bool was_named() const noexcept { return root_ == nullptr; }
  /// Opens it as open(2) does: a descriptor, or -1 and errno. No component below what was named may be a
  /// symbolic link, whatever it was when the file was found; of a file that was named itself, the last.
  int open(int flags) const;

 private:
  std::shared_ptr<const Root> root_;  // empty when the file was named itself
  std::filesystem::path path_;
};

}  // namespace sessile::importing
