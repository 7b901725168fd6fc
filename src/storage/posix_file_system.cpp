// The operating system's files, through descriptors: no path is walked twice, no link is followed.
#include "storage/descriptor.hpp"
#include "storage/file_system.hpp"
#include "storage/lock_line.hpp"
#include "storage/lock_owner.hpp"
#include "storage/posix_lock.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <utility>

namespace sessile::storage {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kPermissionBits = 07777;

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISDIR(mode)) return FileKind::directory;
  if (S_ISLNK(mode)) return FileKind::symlink;
  return FileKind::other;
}

FileInfo info_of(const struct stat& status) {
  FileInfo info;
  info.kind = kind_of(status.st_mode);
  info.size = static_cast<std::uint64_t>(status.st_size);
  info.identity = identity_of(status);
  info.links = static_cast<std::uint64_t>(status.st_nlink);
  info.modified = std::chrono::sys_time<std::chrono::microseconds>(
      std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::microseconds(status.st_mtim.tv_nsec / 1000));
  return info;
}

/// All but the times of change: the kernel takes a question for them as a reason to keep precise ones.
SysResult<struct statx> quiet_status(int file) {
  struct statx status {};
  constexpr unsigned kWanted = STATX_TYPE | STATX_MODE | STATX_INO | STATX_NLINK | STATX_SIZE | STATX_BTIME;
  if (::statx(file, "", AT_EMPTY_PATH, kWanted, &status) != 0) return last_error();
  return status;
}

FileInfo info_of(const struct statx& status) {
  FileInfo info;
  info.kind = kind_of(status.stx_mode);
  info.size = status.stx_size;
  info.links = status.stx_nlink;
  info.identity = FileIdentity(gnu_dev_makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino);
  if ((status.stx_mask & STATX_BTIME) != 0) {
    info.born = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
  }
  return info;
}

/// Keeps SIGXFSZ, which a write over RLIMIT_FSIZE sends to its thread, from ending the program: the call's
/// EFBIG is what we report.
class NoFileSizeSignal {
 public:
  NoFileSizeSignal() noexcept {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  /// `exceeded`: the call answered EFBIG, so that the signal is pending and must go before it is let through.
  void finish(bool exceeded) noexcept {
    if (exceeded && sigismember(&before_, SIGXFSZ) == 0) {
      const timespec now{};
      sigtimedwait(&signal_, nullptr, &now);
    }
  }
  ~NoFileSizeSignal() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoFileSizeSignal(const NoFileSizeSignal&) = delete;
  NoFileSizeSignal& operator=(const NoFileSizeSignal&) = delete;

 private:
  sigset_t signal_{};
  sigset_t before_{};
};

class PosixFile final : public File {
 public:
  /// `read_flags`: of preadv2.
  PosixFile(Descriptor descriptor, FileInfo opened, int read_flags) noexcept
      : descriptor_(std::move(descriptor)), opened_(std::move(opened)), read_flags_(read_flags) {}

  SysResult<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    const iovec part{into.data(), into.size()};
    const auto count = retried(
        [&] { return ::preadv2(descriptor_.get(), &part, 1, static_cast<off_t>(offset), read_flags_); });
    if (count < 0) return last_error();
    return static_cast<std::size_t>(count);
  }

  SysResult<std::size_t> write_at(std::uint64_t offset, std::span<const char> from) override {
    NoFileSizeSignal guard;
    const auto count = retried(
        [&] { return ::pwrite(descriptor_.get(), from.data(), from.size(), static_cast<off_t>(offset)); });
    if (count >= 0) return static_cast<std::size_t>(count);
    const auto error = last_error();
    guard.finish(error.value() == EFBIG);
    return error;
  }

  SysResult<FileInfo> info() override {
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0) return last_error();
    return info_of(status);
  }

  SysResult<FileInfo> look() override {
    if (opened_) return *std::exchange(opened_, std::nullopt);
    auto status = quiet_status(descriptor_.get());
    if (!status) return status.error();
    return info_of(*status);
  }

  SysResult<void> sync_data() override {
    if (::fdatasync(descriptor_.get()) != 0) return last_error();
    return {};
  }

  SysResult<void> truncate(std::uint64_t size) override {
    NoFileSizeSignal guard;
    if (retried([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size)); }) == 0) return {};
    const auto error = last_error();
    guard.finish(error.value() == EFBIG);
    return error;
  }

  SysResult<void> close() override { return descriptor_.close(); }

 private:
  Descriptor descriptor_;
  std::optional<FileInfo> opened_;  // what opening saw, until it is asked for
  int read_flags_;
};

class DirectoryStream {
 public:
  explicit DirectoryStream(DIR* stream) noexcept : stream_(stream) {}
  ~DirectoryStream() { ::closedir(stream_); }
  DirectoryStream(const DirectoryStream&) = delete;
  DirectoryStream& operator=(const DirectoryStream&) = delete;
  DIR* get() const noexcept { return stream_; }

 private:
  DIR* stream_;
};

class PosixDirectory final : public Directory {
 public:
  PosixDirectory(Descriptor descriptor, FileIdentity identity, std::filesystem::path path)
      : descriptor_(std::move(descriptor)), identity_(identity), path_(std::move(path)) {}
  ~PosixDirectory() override { close_idle_sidecars(descriptor_.get()); }

  /// Takes over `descriptor`, which is an open directory.
  static SysResult<std::shared_ptr<Directory>> adopt(Descriptor descriptor, std::filesystem::path path) {
    struct stat status {};
    if (::fstat(descriptor.get(), &status) != 0) return last_error();
    return std::make_shared<PosixDirectory>(std::move(descriptor), identity_of(status), std::move(path));
  }

  SysResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode) override;
  SysResult<std::unique_ptr<File>> open_cached(const std::string& name) override;
  SysResult<std::shared_ptr<Directory>> open_directory(const std::string& name) override;
  SysResult<void> make_directory(const std::string& name) override;
  SysResult<FileInfo> info(const std::string& name) override;
  SysResult<std::vector<DirectoryEntry>> list() override;

  SysResult<void> rename(const std::string& from, const std::string& to) override {
    if (::renameat(descriptor_.get(), from.c_str(), descriptor_.get(), to.c_str()) != 0) return last_error();
    return {};
  }
  SysResult<void> remove(const std::string& name) override {
    if (::unlinkat(descriptor_.get(), name.c_str(), 0) != 0) return last_error();
    return {};
  }
  SysResult<void> sync() override {
    if (::fsync(descriptor_.get()) != 0) return last_error();
    return {};
  }
  SysResult<std::unique_ptr<LockFile>> try_lock(const std::string& name, LockPrimitive primitive) override {
    auto sidecar = storage::open_sidecar(descriptor_.get(), name, primitive);
    if (!sidecar) return sidecar.error();
    if (auto locked = (*sidecar)->try_lock(); !locked) return locked.error();
    return std::unique_ptr<LockFile>(std::move(*sidecar));
  }
  SysResult<std::unique_ptr<Sidecar>> open_sidecar(const std::string& name,
                                                   LockPrimitive primitive) override {
    return storage::open_sidecar(descriptor_.get(), name, primitive);
  }
  SysResult<std::unique_ptr<LinePlace>> stand_in_line(const std::string& name, Arrival arrival) override {
    return storage::stand_in_line(descriptor_.get(), name, arrival);
  }
  bool anybody_in_line(const std::string& name, Arrival before) noexcept override {
    return storage::anybody_in_line(descriptor_.get(), name, before);
  }
  void ring_for_next(const std::string& name) noexcept override {
    if (storage::ring_for_next(descriptor_.get(), name)) close_idle_sidecar(descriptor_.get(), name);
  }
  LockOwner lock_holder(const std::string& name) override { return find_lock_owner(descriptor_.get(), name); }

  FileIdentity identity() const noexcept override { return identity_; }
  bool deleted() const noexcept override {
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0) return errno == ESTALE;
    return status.st_nlink == 0;
  }
  const std::filesystem::path& path() const noexcept override { return path_; }

 private:
  SysResult<DirectoryEntry> entry_of(const dirent& entry);

  const Descriptor descriptor_;
  const FileIdentity identity_;
  const std::filesystem::path path_;
};

int open_flags(OpenMode mode) {
  // O_NONBLOCK: a FIFO or a device planted under the name must not block the thread.
  constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  switch (mode) {
    case OpenMode::read:
      return kAlways | O_RDONLY;
    case OpenMode::read_write:
      return kAlways | O_RDWR;
    case OpenMode::create_exclusive:
      return kAlways | O_RDWR | O_CREAT | O_EXCL;
  }
  return kAlways | O_RDONLY;
}

/// Unlinks a file that was made, unless it is kept.
class MadeFile {
 public:
  MadeFile(int directory, const std::string& name) noexcept : directory_(directory), name_(name) {}
  ~MadeFile() {
    if (!kept_) ::unlinkat(directory_, name_.c_str(), 0);
  }
  MadeFile(const MadeFile&) = delete;
  MadeFile& operator=(const MadeFile&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  const int directory_;
  const std::string& name_;
  bool kept_ = false;
};

SysResult<std::unique_ptr<File>> opened(Descriptor file, OpenMode mode) {
  auto status = quiet_status(file.get());
  if (!status) return status.error();
  if (const int refusal = why_not_regular(status->stx_mode); refusal != 0) return system_code(refusal);
  if (mode == OpenMode::create_exclusive && (status->stx_mode & kPermissionBits) != kFileMode &&
      ::fchmod(file.get(), kFileMode) != 0) {
    return last_error();
  }
  return std::make_unique<PosixFile>(std::move(file), info_of(*status), 0);
}

SysResult<std::unique_ptr<File>> PosixDirectory::open_file(const std::string& name, OpenMode mode) {
  Descriptor file(
      retried([&] { return ::openat(descriptor_.get(), name.c_str(), open_flags(mode), kFileMode); }));
  if (!file) return last_error();
  if (mode != OpenMode::create_exclusive) return opened(std::move(file), mode);
  MadeFile made(descriptor_.get(), name);
  auto wrapped = opened(std::move(file), mode);
  if (wrapped) made.keep();
  return wrapped;
}

SysResult<std::unique_ptr<File>> PosixDirectory::open_cached(const std::string& name) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(open_flags(OpenMode::read));
  how.resolve = RESOLVE_CACHED;
  // The C library has no wrapper for it. A kernel or a sandbox without it: everything waits, on the pool.
  const long opened = ::syscall(SYS_openat2, descriptor_.get(), name.c_str(), &how, sizeof how);
  if (opened < 0) return system_code(errno == ENOENT ? ENOENT : EWOULDBLOCK);
  Descriptor file(static_cast<int>(opened));
  auto status = quiet_status(file.get());
  if (!status) return status.error();
  if (const int refusal = why_not_regular(status->stx_mode); refusal != 0) return system_code(refusal);
  return std::make_unique<PosixFile>(std::move(file), info_of(*status), RWF_NOWAIT);
}

SysResult<std::shared_ptr<Directory>> PosixDirectory::open_directory(const std::string& name) {
  Descriptor directory(retried([&] {
    return ::openat(descriptor_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  }));
  if (!directory) return last_error();
  return adopt(std::move(directory), path_ / name);
}

SysResult<void> PosixDirectory::make_directory(const std::string& name) {
  if (::mkdirat(descriptor_.get(), name.c_str(), kDirectoryMode) != 0) return last_error();
  struct stat status {};
  if (::fstatat(descriptor_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return last_error();
  // A set-group-ID bit inherited from the parent stays.
  if ((status.st_mode & 0777) != kDirectoryMode &&
      ::fchmodat(descriptor_.get(), name.c_str(), kDirectoryMode, AT_SYMLINK_NOFOLLOW) != 0) {
    return last_error();
  }
  return {};
}

SysResult<FileInfo> PosixDirectory::info(const std::string& name) {
  struct stat status {};
  if (::fstatat(descriptor_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return last_error();
  return info_of(status);
}

SysResult<DirectoryEntry> PosixDirectory::entry_of(const dirent& entry) {
  std::string name(entry.d_name);
  switch (entry.d_type) {
    case DT_REG:
      return DirectoryEntry(std::move(name), FileKind::regular);
    case DT_DIR:
      return DirectoryEntry(std::move(name), FileKind::directory);
    case DT_LNK:
      return DirectoryEntry(std::move(name), FileKind::symlink);
    case DT_UNKNOWN: {
      // This file system does not say.
      auto found = info(name);
      if (!found) return found.error();
      return DirectoryEntry(std::move(name), found->kind);
    }
    default:
      return DirectoryEntry(std::move(name), FileKind::other);
  }
}

SysResult<std::vector<DirectoryEntry>> PosixDirectory::list() {
  // Opened anew: the position of a listing belongs to the open file description, which threads share.
  Descriptor again(
      retried([&] { return ::openat(descriptor_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!again) return last_error();
  DIR* opened = ::fdopendir(again.get());
  if (opened == nullptr) return last_error();
  again.release();
  const DirectoryStream stream(opened);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* next = ::readdir(stream.get());
    if (next == nullptr) break;
    const std::string_view name(next->d_name);
    if (name == "." || name == "..") continue;
    auto entry = entry_of(*next);
    if (entry) {
      entries.push_back(std::move(*entry));
    } else if (entry.error().value() != ENOENT) {
      return entry.error();
    }
  }
  if (errno != 0) return last_error();
  return entries;
}

class PosixFileSystem final : public FileSystem {
 public:
  SysResult<std::shared_ptr<Directory>> open_directory(const std::filesystem::path& path) override {
    Descriptor directory(retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!directory) return last_error();
    return PosixDirectory::adopt(std::move(directory), path);
  }
};

}  // namespace

std::shared_ptr<FileSystem> real_file_system() {
  static const auto files = std::make_shared<PosixFileSystem>();
  return files;
}

}  // namespace sessile::storage
