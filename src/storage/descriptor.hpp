// A file descriptor that closes itself, and the manners of system calls. For the POSIX sources only.
#pragma once

#include "storage/file_system.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sessile::storage {

inline boost::system::error_code system_code(int number) noexcept {
  return boost::system::error_code(number, boost::system::system_category());
}

inline boost::system::error_code last_error() noexcept {
  return system_code(errno);
}

/// Calls again while a signal interrupts. Never for fsync or close, whose second call means something else.
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR)
    result = call();
  return result;
}

inline FileIdentity identity_of(const struct stat& status) noexcept {
  return FileIdentity(static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino));
}

/// 0 for a regular file, else the error that opening it is refused with.
inline int why_not_regular(mode_t mode) noexcept {
  if (S_ISREG(mode)) return 0;
  if (S_ISDIR(mode)) return EISDIR;
  if (S_ISLNK(mode)) return ELOOP;
  return ENXIO;
}
inline int why_not_regular(const struct stat& status) noexcept {
  return why_not_regular(status.st_mode);
}

/// Owns one descriptor. Movable.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  /// Negative: none.
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close().has_value();
      number_ = other.release();
    }
    return *this;
  }
  ~Descriptor() { close().has_value(); }

  explicit operator bool() const noexcept { return number_ >= 0; }
  int get() const noexcept { return number_; }
  int release() noexcept { return std::exchange(number_, -1); }
  /// The descriptor is gone whatever this answers.
  SysResult<void> close() noexcept {
    if (number_ < 0) return {};
    // Linux frees the descriptor before a signal can interrupt: closing again might close another thread's.
    if (::close(release()) != 0 && errno != EINTR) return last_error();
    return {};
  }

 private:
  int number_ = -1;
};

}  // namespace sessile::storage
