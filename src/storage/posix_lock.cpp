#include "storage/posix_lock.hpp"

#include "storage/descriptor.hpp"

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/sync/file_lock.hpp>

#include <sys/file.h>

#include <mutex>
#include <set>
#include <utility>

namespace sessile::storage {

namespace {

namespace interprocess = boost::interprocess;

constexpr int kSidecarFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/// The sidecars that this process has open. Never destroyed: locks may be freed while the program ends.
class HeldSidecars {
 public:
  static HeldSidecars& instance() {
    static auto& held = *new HeldSidecars;
    return held;
  }
  std::mutex mutex;
  std::set<FileIdentity> identities;  // guarded by mutex
};

/// This process's right to open one sidecar. Invariant: its file is opened only while a claim of it lives.
class Claim {
 public:
  Claim() noexcept = default;
  explicit Claim(FileIdentity identity) noexcept : identity_(identity), owned_(true) {}
  Claim(Claim&& other) noexcept : identity_(other.identity_), owned_(std::exchange(other.owned_, false)) {}
  Claim& operator=(Claim&&) = delete;
  ~Claim() {
    if (!owned_) return;
    auto& held = HeldSidecars::instance();
    const std::lock_guard lock(held.mutex);
    held.identities.erase(identity_);
  }
  const FileIdentity& identity() const noexcept { return identity_; }

 private:
  FileIdentity identity_;
  bool owned_ = false;
};

/// A claimed sidecar, open unless `descriptor` is empty.
class ClaimedSidecar {
 public:
  ClaimedSidecar(Claim claim_, Descriptor descriptor_) noexcept
      : claim(std::move(claim_)), descriptor(std::move(descriptor_)) {}
  Claim claim;
  Descriptor descriptor;  // after `claim`: closed before the claim is given up
};

SysResult<ClaimedSidecar> claim_existing(int directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return last_error();
  if (const int refusal = why_not_regular(status); refusal != 0) return system_code(refusal);
  const auto identity = identity_of(status);
  auto& held = HeldSidecars::instance();
  const std::lock_guard lock(held.mutex);
  if (!held.identities.insert(identity).second) return system_code(EWOULDBLOCK);
  return ClaimedSidecar(Claim(identity), Descriptor());
}

/// Makes the sidecar and claims it in one step, so that no other thread can lock it in between and lose its
/// POSIX lock to the closing of our descriptor.
SysResult<ClaimedSidecar> claim_new(int directory, const std::string& name) {
  auto& held = HeldSidecars::instance();
  const std::lock_guard lock(held.mutex);
  Descriptor file(
      retried([&] { return ::openat(directory, name.c_str(), kSidecarFlags | O_CREAT | O_EXCL, 0600); }));
  if (!file) return last_error();
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return last_error();
  if ((status.st_mode & 07777) != 0600 && ::fchmod(file.get(), 0600) != 0) return last_error();
  if (!held.identities.insert(identity_of(status)).second) return system_code(EWOULDBLOCK);
  return ClaimedSidecar(Claim(identity_of(status)), std::move(file));
}

SysResult<ClaimedSidecar> claim(int directory, const std::string& name) {
  for (;;) {
    auto existing = claim_existing(directory, name);
    if (existing || existing.error().value() != ENOENT) return existing;
    auto made = claim_new(directory, name);
    if (made || made.error().value() != EEXIST) return made;
  }
}

/// Opens what was claimed. Another file under the name by now means that somebody unlinked the sidecar; the
/// next attempt starts from the new one.
SysResult<void> open_claimed(int directory, const std::string& name, ClaimedSidecar& sidecar) {
  if (sidecar.descriptor) return {};
  Descriptor file(retried([&] { return ::openat(directory, name.c_str(), kSidecarFlags); }));
  if (!file) return last_error();
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return last_error();
  if (identity_of(status) != sidecar.claim.identity()) return system_code(EWOULDBLOCK);
  sidecar.descriptor = std::move(file);
  return {};
}

class flock whole_file(short type) {
  class flock region {};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  return region;
}

/// POSIX allows either for contention.
boost::system::error_code contention_or(int number) {
  return system_code(number == EAGAIN || number == EACCES ? EWOULDBLOCK : number);
}

/// Holds the lock by a descriptor: an open file description lock or a flock.
class DescriptorLock final : public LockFile {
 public:
  explicit DescriptorLock(ClaimedSidecar sidecar) noexcept : sidecar_(std::move(sidecar)) {}

 private:
  ClaimedSidecar sidecar_;
};

SysResult<std::unique_ptr<LockFile>> lock_description(ClaimedSidecar sidecar) {
  auto region = whole_file(F_WRLCK);
  if (retried([&] { return ::fcntl(sidecar.descriptor.get(), F_OFD_SETLK, &region); }) != 0) {
    return contention_or(errno);
  }
  return std::make_unique<DescriptorLock>(std::move(sidecar));
}

SysResult<std::unique_ptr<LockFile>> lock_flock(ClaimedSidecar sidecar) {
  if (retried([&] { return ::flock(sidecar.descriptor.get(), LOCK_EX | LOCK_NB); }) != 0) return last_error();
  return std::make_unique<DescriptorLock>(std::move(sidecar));
}

/// Holds a lock of Boost.Interprocess. Its descriptor is out of our reach and lacks O_CLOEXEC: a child
/// process inherits it, but not the lock.
class InterprocessLock final : public LockFile {
 public:
  InterprocessLock(Claim claim, interprocess::file_lock lock) noexcept
      : claim_(std::move(claim)), lock_(boost::move(lock)) {}

 private:
  Claim claim_;
  interprocess::file_lock lock_;  // after `claim_`: closed, and with that freed, before the claim is given up
};

SysResult<std::unique_ptr<LockFile>> lock_interprocess(ClaimedSidecar sidecar) {
  try {
    // By way of the descriptor, so that the very file that was checked is opened, and no link followed.
    const auto path = "/proc/self/fd/" + std::to_string(sidecar.descriptor.get());
    interprocess::file_lock lock(path.c_str());
    if (auto closed = sidecar.descriptor.close(); !closed) return closed.error();
    if (!lock.try_lock()) return system_code(EWOULDBLOCK);
    return std::make_unique<InterprocessLock>(std::move(sidecar.claim), boost::move(lock));
  } catch (const interprocess::interprocess_exception& error) {
    const int number = error.get_native_error();
    if (number == ENOENT) return system_code(ENOSYS);  // no /proc here: the sidecar itself is there
    return system_code(number != 0 ? number : EIO);
  }
}

}  // namespace

SysResult<std::unique_ptr<LockFile>> try_lock_sidecar(int directory, const std::string& name,
                                                      LockPrimitive primitive) {
  auto sidecar = claim(directory, name);
  if (!sidecar) return sidecar.error();
  if (auto opened = open_claimed(directory, name, *sidecar); !opened) return opened.error();
  switch (primitive) {
    case LockPrimitive::interprocess:
      return lock_interprocess(std::move(*sidecar));
    case LockPrimitive::flock:
      return lock_flock(std::move(*sidecar));
    case LockPrimitive::automatic:
    case LockPrimitive::open_file_description:
      break;
  }
  return lock_description(std::move(*sidecar));
}

std::int64_t sidecar_holder(int directory, const std::string& name, LockPrimitive primitive) {
  // flock has no query, and the kernel does not say who owns an open file description.
  if (primitive == LockPrimitive::flock) return 0;
  auto sidecar = claim_existing(directory, name);
  if (!sidecar) return sidecar.error().value() == EWOULDBLOCK ? ::getpid() : 0;
  if (!open_claimed(directory, name, *sidecar)) return 0;
  auto region = whole_file(F_WRLCK);
  if (::fcntl(sidecar->descriptor.get(), F_OFD_GETLK, &region) != 0) return 0;
  return region.l_type == F_UNLCK || region.l_pid <= 0 ? 0 : region.l_pid;
}

}  // namespace sessile::storage
