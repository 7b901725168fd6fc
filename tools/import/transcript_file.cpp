#include "import/transcript_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

namespace sessile::importing {
namespace {

// One directory after the other: O_NOFOLLOW alone guards the last component only. Closes `directory`.
int open_below(int directory, const std::filesystem::path& relative, int flags) {
  for (auto part = relative.begin();; ++part) {
    const bool last = std::next(part) == relative.end();
    const int wanted = last ? flags : O_RDONLY | O_DIRECTORY;
    const int opened = ::openat(directory, part->c_str(), wanted | O_NOFOLLOW | O_CLOEXEC);
    const int cause = errno;
    ::close(directory);
    errno = cause;
    if (last || opened < 0) return opened;
    directory = opened;
  }
}

}  // namespace

int Root::open() const {
  const int opened = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return opened;
  struct stat status {};
  if (::fstat(opened, &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) return opened;
  ::close(opened);
  errno = ESTALE;
  return -1;
}

int TranscriptFile::open(int flags) const {
  if (was_named()) return ::open(path_.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
  const int root = root_->open();
  return root < 0 ? root : open_below(root, path_.lexically_relative(root_->path()), flags);
}

}  // namespace sessile::importing
