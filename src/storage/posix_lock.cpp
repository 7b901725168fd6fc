#include "storage/posix_lock.hpp"

#include "storage/close_watcher.hpp"
#include "storage/fork_guard.hpp"
#include "storage/idle_sidecars.hpp"

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/sync/file_lock.hpp>

#include <sys/file.h>

#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace sessile::storage {

namespace {

namespace interprocess = boost::interprocess;

constexpr int kSidecarFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/// The sidecars that this process has open. Never destroyed: locks may be freed while the program ends.
class OpenSidecars {
 public:
  static OpenSidecars& instance() {
    static auto& held = *new OpenSidecars;
    return held;
  }
  std::mutex mutex;
  // Guarded by mutex:
  std::set<FileIdentity> claimed;
  IdleSidecars idle;  // of none that is claimed
};

/// This process's right to open one sidecar, and the sidecar, once it is open. Invariant: its file is open
/// only while a claim of it lives, or idle. A claim and its file end in one step: as soon as the file is
/// closed, another one may be given its identity.
class Claim {
 public:
  explicit Claim(FileIdentity identity, LockDescriptor file_ = LockDescriptor()) noexcept
      : file(std::move(file_)), identity_(identity), owned_(true) {}
  Claim(Claim&& other) noexcept
      : file(std::move(other.file)),
        identity_(other.identity_),
        kept_for_(other.kept_for_),
        owned_(std::exchange(other.owned_, false)) {}
  Claim& operator=(Claim&&) = delete;
  ~Claim() {
    if (!owned_) return;
    auto& held = OpenSidecars::instance();
    const std::lock_guard lock(held.mutex);
    if (kept_for_ >= 0) held.idle.put(identity_, kept_for_, std::move(file));
    file = LockDescriptor();
    held.claimed.erase(identity_);
  }
  /// The file is to stay open when this ends, for as long as `directory` does.
  void keep_for(int directory) noexcept { kept_for_ = directory; }
  const FileIdentity& identity() const noexcept { return identity_; }
  LockDescriptor file;

 private:
  FileIdentity identity_;
  int kept_for_ = -1;
  bool owned_ = false;
};

SysResult<FileIdentity> identity_under(int directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return last_error();
  if (const int refusal = why_not_regular(status); refusal != 0) return system_code(refusal);
  return identity_of(status);
}

SysResult<Claim> claim_existing(int directory, const std::string& name) {
  const auto identity = identity_under(directory, name);
  if (!identity) return identity.error();
  auto& held = OpenSidecars::instance();
  const std::lock_guard lock(held.mutex);
  if (!held.claimed.insert(*identity).second) return system_code(EWOULDBLOCK);
  return Claim(*identity, held.idle.take(*identity));
}

/// Makes the sidecar and claims it in one step, so that no other thread can lock it in between and lose its
/// POSIX lock to the closing of our descriptor.
SysResult<Claim> claim_new(int directory, const std::string& name) {
  auto& held = OpenSidecars::instance();
  const std::lock_guard lock(held.mutex);
  auto file = LockDescriptor::open(directory, name, kSidecarFlags | O_CREAT | O_EXCL);
  if (!file) return file.error();
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return last_error();
  if ((status.st_mode & 07777) != 0600 && ::fchmod(file->get(), 0600) != 0) return last_error();
  if (!held.claimed.insert(identity_of(status)).second) return system_code(EWOULDBLOCK);
  return Claim(identity_of(status), std::move(*file));
}

SysResult<Claim> claim(int directory, const std::string& name) {
  for (;;) {
    auto existing = claim_existing(directory, name);
    if (existing || existing.error().value() != ENOENT) return existing;
    auto made = claim_new(directory, name);
    if (made || made.error().value() != EEXIST) return made;
  }
}

/// Opens what was claimed. ESTALE: another file has the name by now.
SysResult<void> open_claimed(int directory, const std::string& name, Claim& sidecar) {
  if (sidecar.file) return {};
  auto file = LockDescriptor::open(directory, name, kSidecarFlags);
  if (!file) return file.error();
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return last_error();
  if (identity_of(status) != sidecar.identity()) return system_code(ESTALE);
  sidecar.file = std::move(*file);
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

SysResult<void> lock_description(int file) {
  auto region = whole_file(F_WRLCK);
  if (retried([&] { return ::fcntl(file, F_OFD_SETLK, &region); }) != 0) return contention_or(errno);
  return {};
}

void unlock_description(int file) noexcept {
  auto region = whole_file(F_UNLCK);
  ::fcntl(file, F_OFD_SETLK, &region);
}

/// What all primitives share: the file, and who may wait for it.
class PosixSidecar : public Sidecar {
 public:
  PosixSidecar(int directory, std::string name, Claim sidecar)
      : name_(std::move(name)), directory_(directory), sidecar_(std::move(sidecar)) {}

  SysResult<void> try_lock() final {
    if (auto locked = lock_now(); !locked) {
      waited_ = true;
      return locked;
    }
    // While it was waited for, somebody may have unlinked the file.
    if (waited_) {
      const auto current = identity_under(directory_, name_);
      if (!current && current.error().value() != ENOENT) return current.error();
      if (!current || *current != sidecar_.identity()) return system_code(ESTALE);
    }
    note_since();
    return {};
  }

  void wait_first() noexcept final { waited_ = true; }

  SysResult<std::unique_ptr<Watch>> watch(WatchCallback closed) final {
    return CloseWatcher::instance().watch(file(), std::move(closed));
  }

 protected:
  virtual SysResult<void> lock_now() = 0;
  int file() const noexcept { return sidecar_.file.get(); }

 private:
  /// The time goes where /proc shows it to others (LockOwner), costs no write and ends with the descriptor:
  /// the file's offset, in milliseconds since the epoch. Not every file system takes one so large.
  void note_since() noexcept {
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch();
    ::lseek(file(), static_cast<off_t>(now.count()), SEEK_SET);
  }

  const std::string name_;
  bool waited_ = false;

 protected:
  const int directory_;  // valid until locked
  Claim sidecar_;
};

/// Unlocking comes before closing, here and below: inotify reports a closing before the kernel frees the
/// description's locks. A child that shares the description loses the lock by it as well.
class OfdSidecar final : public PosixSidecar {
 public:
  using PosixSidecar::PosixSidecar;
  ~OfdSidecar() override {
    if (locked_) unlock_description(file());
  }
  void let_go() noexcept override {
    unlock_description(file());
    locked_ = false;
    sidecar_.keep_for(directory_);
  }

 private:
  SysResult<void> lock_now() override {
    auto locked = lock_description(file());
    locked_ = locked.has_value();
    return locked;
  }
  bool locked_ = false;
};

/// A flock for programs that take one, and an open file description lock for those of the other family.
class FlockSidecar final : public PosixSidecar {
 public:
  using PosixSidecar::PosixSidecar;
  ~FlockSidecar() override { unlock(); }

 private:
  SysResult<void> lock_now() override {
    if (retried([&] { return ::flock(file(), LOCK_EX | LOCK_NB); }) != 0) return last_error();
    auto locked = lock_description(file());
    if (!locked) unlock();
    return locked;
  }
  void unlock() noexcept {
    unlock_description(file());
    ::flock(file(), LOCK_UN);
  }
};

/// A lock of Boost.Interprocess. Its descriptor is out of our reach and lacks O_CLOEXEC: a child process may
/// inherit it, but not the lock. Ours stays open beside it, to be closed last: the closing of that one wakes
/// those who wait, whoever has the other.
class InterprocessSidecar final : public PosixSidecar {
 public:
  using PosixSidecar::PosixSidecar;

 private:
  SysResult<void> lock_now() override {
    try {
      if (!lock_) {
        // By way of the descriptor, so that the very file that was checked is opened, and no link followed.
        lock_.emplace(("/proc/self/fd/" + std::to_string(file())).c_str());
      }
      if (!lock_->try_lock()) return system_code(EWOULDBLOCK);
      return {};
    } catch (const interprocess::interprocess_exception& error) {
      const int number = error.get_native_error();
      if (number == ENOENT) return system_code(ENOSYS);  // no /proc here: the sidecar itself is there
      return system_code(number != 0 ? number : EIO);
    }
  }
  std::optional<interprocess::file_lock> lock_;
};

}  // namespace

SysResult<std::unique_ptr<Sidecar>> open_sidecar(int directory, const std::string& name,
                                                 LockPrimitive primitive) {
  auto claimed = claim(directory, name);
  if (!claimed) return claimed.error();
  if (auto opened = open_claimed(directory, name, *claimed); !opened) return opened.error();
  switch (primitive) {
    case LockPrimitive::interprocess:
      return std::make_unique<InterprocessSidecar>(directory, name, std::move(*claimed));
    case LockPrimitive::flock:
      return std::make_unique<FlockSidecar>(directory, name, std::move(*claimed));
    case LockPrimitive::automatic:
    case LockPrimitive::open_file_description:
      break;
  }
  return std::make_unique<OfdSidecar>(directory, name, std::move(*claimed));
}

void close_idle_sidecar(int directory, const std::string& name) noexcept {
  const auto identity = identity_under(directory, name);
  if (!identity) return;
  auto& held = OpenSidecars::instance();
  const std::lock_guard lock(held.mutex);
  held.idle.take(*identity);
}

void close_idle_sidecars(int directory) noexcept {
  auto& held = OpenSidecars::instance();
  const std::lock_guard lock(held.mutex);
  held.idle.close_all(directory);
}

}  // namespace sessile::storage
