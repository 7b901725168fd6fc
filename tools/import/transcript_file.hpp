// A transcript that was named or found, and how it is opened.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>

namespace sessile::importing {

/// A directory that was named, held open: it stays the one that was meant, wherever it is moved. It may have
/// been reached through symbolic links.
class Root {
 public:
  /// Owns `number`, the descriptor of the directory at `place`.
  Root(std::filesystem::path place, int number) noexcept : path_(std::move(place)), descriptor_(number) {}
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root();

  const std::filesystem::path& path() const noexcept { return path_; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  const std::filesystem::path path_;
  const int descriptor_;
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
