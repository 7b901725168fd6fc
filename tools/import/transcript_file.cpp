#include "import/transcript_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

namespace sessile::importing {
namespace {

// One directory after the other: O_NOFOLLOW alone guards the last component only.
int open_below(int root, const std::filesystem::path& relative, int flags) {
  int directory = root;
  for (auto part = relative.begin();; ++part) {
    const bool last = std::next(part) == relative.end();
    const int wanted = last ? flags : O_RDONLY | O_DIRECTORY;
    const int opened = ::openat(directory, part->c_str(), wanted | O_NOFOLLOW | O_CLOEXEC);
    const int cause = errno;
    if (directory != root) ::close(directory);
    errno = cause;
    if (last || opened < 0) return opened;
    directory = opened;
  }
}

}  // namespace

Root::~Root() {
  ::close(descriptor_);
}

int TranscriptFile::open(int flags) const {
  if (was_named()) return ::open(path_.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
  return open_below(root_->descriptor(), path_.lexically_relative(root_->path()), flags);
}

}  // namespace sessile::importing
