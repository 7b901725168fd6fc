#include "storage/lock_line.hpp"

#include "storage/doorbell.hpp"
#include "storage/fork_guard.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace sessile::storage {

namespace {

constexpr int kLineFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

std::string line_of(const std::string& sidecar) {
  return sidecar + ".queue";
}

off_t offset_of(Arrival arrival) {
  const auto since_boot = std::chrono::duration_cast<std::chrono::nanoseconds>(arrival.time_since_epoch());
  return static_cast<off_t>(std::max<std::int64_t>(since_boot.count(), 1));
}

class flock region_of(short type, off_t begin, off_t length) {
  class flock region {};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  region.l_start = begin;
  region.l_len = length;
  return region;
}

/// An error means no: the line is a matter of fairness, never of safety.
bool anybody_before(int file, off_t offset) {
  auto region = region_of(F_WRLCK, 0, offset);
  return ::fcntl(file, F_OFD_GETLK, &region) == 0 && region.l_type != F_UNLCK;
}

/// The first place taken before `bound` (0: before the end of time), but for those of `file`'s own
/// description; 0: none.
off_t first_taken(int file, off_t bound) {
  off_t first = 0;
  for (;;) {
    // The kernel names any of the locks in the way: so until there is none before it.
    auto region = region_of(F_WRLCK, 0, bound);
    if (::fcntl(file, F_OFD_GETLK, &region) != 0 || region.l_type == F_UNLCK) return first;
    if (region.l_start <= 0 || (bound != 0 && region.l_start >= bound)) return first;
    bound = first = region.l_start;
  }
}

/// Where who stands at one place of one line is rung up.
std::string doorbell_of(FileIdentity line, off_t offset) {
  return "sessile-line-" + std::to_string(line.device) + '-' + std::to_string(line.inode) + '-' +
         std::to_string(offset);
}

class PosixLinePlace final : public LinePlace {
 public:
  PosixLinePlace(LockDescriptor file, FileIdentity line, off_t offset) noexcept
      : file_(std::move(file)), line_(line), offset_(offset) {}
  std::int64_t first_before() override { return first_taken(file_.get(), offset_); }
  SysResult<std::unique_ptr<Watch>> watch(WatchCallback rung) override {
    return hang_doorbell(doorbell_of(line_, offset_), std::move(rung));
  }

 private:
  const LockDescriptor file_;
  const FileIdentity line_;
  const off_t offset_;
};

SysResult<LockDescriptor> open_line(int directory, const std::string& name) {
  for (;;) {
    auto existing = LockDescriptor::open(directory, name, kLineFlags | O_RDWR);
    if (existing || existing.error().value() != ENOENT) return existing;
    auto made = LockDescriptor::open(directory, name, kLineFlags | O_RDWR | O_CREAT | O_EXCL);
    if (!made) {
      if (made.error().value() == EEXIST) continue;
      return made;
    }
    struct stat status {};
    if (::fstat(made->get(), &status) != 0) return last_error();
    if ((status.st_mode & 07777) != 0600 && ::fchmod(made->get(), 0600) != 0) return last_error();
    return made;
  }
}

}  // namespace

SysResult<std::unique_ptr<LinePlace>> stand_in_line(int directory, const std::string& sidecar,
                                                    Arrival arrival) {
  auto file = open_line(directory, line_of(sidecar));
  if (!file) return file.error();
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return last_error();
  if (const int refusal = why_not_regular(status); refusal != 0) return system_code(refusal);
  // Two may arrive in the same nanosecond.
  constexpr off_t kNeighbours = 64;
  const off_t first = offset_of(arrival);
  for (off_t offset = first; offset < first + kNeighbours; ++offset) {
    auto region = region_of(F_WRLCK, offset, 1);
    if (retried([&] { return ::fcntl(file->get(), F_OFD_SETLK, &region); }) == 0) {
      return std::make_unique<PosixLinePlace>(std::move(*file), identity_of(status), offset);
    }
    if (errno != EAGAIN && errno != EACCES) return last_error();
  }
  return system_code(EAGAIN);
}

bool anybody_in_line(int directory, const std::string& sidecar, Arrival before) noexcept try {
  Descriptor file(
      retried([&] { return ::openat(directory, line_of(sidecar).c_str(), kLineFlags | O_RDONLY); }));
  return file && anybody_before(file.get(), offset_of(before));
} catch (const std::bad_alloc&) {
  // Then nobody is overtaken.
  return true;
}

bool ring_for_next(int directory, const std::string& sidecar) noexcept try {
  const Descriptor file(
      retried([&] { return ::openat(directory, line_of(sidecar).c_str(), kLineFlags | O_RDONLY); }));
  if (!file) return false;
  const off_t next = first_taken(file.get(), 0);
  struct stat status {};
  if (next == 0 || ::fstat(file.get(), &status) != 0) return false;
  ring_doorbell(doorbell_of(identity_of(status), next));
  return true;
} catch (const std::bad_alloc&) {
  // The next one looks by itself before long.
  return true;
}

}  // namespace sessile::storage
