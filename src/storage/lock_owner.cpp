#include "storage/lock_owner.hpp"

#include "storage/descriptor.hpp"

#include <dirent.h>

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <memory>
#include <sstream>
#include <string_view>

namespace sessile::storage {

namespace {

/// More open files than this are not looked at.
constexpr int kMostFiles = 50000;

/// Calls `visit` with each entry of `path` that is a number, until it answers false.
void each_number_in(const std::string& path, const std::function<bool(std::int64_t)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(path.c_str()), ::closedir);
  if (!stream) return;
  for (const dirent* entry = ::readdir(stream.get()); entry != nullptr; entry = ::readdir(stream.get())) {
    const std::string_view name(entry->d_name);
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (fault == std::errc() && end == name.data() + name.size() && !visit(number)) break;
  }
}

std::string read_small_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text{};
  const auto size = file ? retried([&] { return ::read(file.get(), text.data(), text.size()); }) : 0;
  return std::string(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

/// As far as it can be read; it is made while it is read, and has no size.
std::string read_whole(const std::string& path) {
  constexpr std::size_t kMost = std::size_t{16} << 20;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> part{};
  while (file && text.size() < kMost) {
    const auto size = retried([&] { return ::read(file.get(), part.data(), part.size()); });
    if (size <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(size));
  }
  return text;
}

/// The offset in an entry of fdinfo, which is where a holder puts the time; the epoch when it is none.
std::chrono::sys_time<std::chrono::milliseconds> since_of(std::string_view info) {
  constexpr std::string_view kOffset = "pos:\t";
  std::int64_t offset = 0;
  if (info.starts_with(kOffset)) {
    std::from_chars(info.data() + kOffset.size(), info.data() + info.size(), offset);
  }
  // Another program's offset counts the bytes that it wrote.
  constexpr std::int64_t kYear2020 = 1577836800000;
  if (offset < kYear2020) offset = 0;
  return std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(offset));
}

/// Looks for a process that holds a lock on one file.
class OwnerSearch {
 public:
  OwnerSearch(FileIdentity file, std::string_view name) : file_(file), suffix_("/" + std::string(name)) {}

  LockOwner run() {
    look_at(::getpid());
    if (!locked_) {
      each_number_in("/proc", [this](std::int64_t process) {
        look_at(process);
        return !locked_ && left_ > 0;
      });
    }
    return locked_ ? owner_ : LockOwner();
  }

 private:
  /// A process may have the file open twice: one descriptor with the lock, another with the time.
  void look_at(std::int64_t process) {
    const std::string place = "/proc/" + std::to_string(process);
    owner_ = LockOwner();
    each_number_in(place + "/fd", [&](std::int64_t number) {
      if (is_the_file(place + "/fd/" + std::to_string(number))) {
        const auto info = read_small_file(place + "/fdinfo/" + std::to_string(number));
        if (info.find("\nlock:") != std::string::npos) locked_ = true;
        owner_.since = std::max(owner_.since, since_of(info));
      }
      return --left_ > 0;
    });
    owner_.pid = process;
  }

  /// By its name first: to look closer at others' files might block.
  bool is_the_file(const std::string& link) const {
    std::array<char, 4097> target{};
    const auto size = ::readlink(link.c_str(), target.data(), target.size() - 1);
    if (size <= 0 || !std::string_view(target.data(), static_cast<std::size_t>(size)).ends_with(suffix_)) {
      return false;
    }
    struct stat status {};
    return ::stat(link.c_str(), &status) == 0 && identity_of(status) == file_;
  }

  const FileIdentity file_;
  const std::string suffix_;
  int left_ = kMostFiles;
  bool locked_ = false;
  LockOwner owner_;
};

/// Of a POSIX record lock and a flock the kernel tells everybody the process, other users' included:
/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:10953118 0 EOF`.
LockOwner owner_in_list(const struct stat& status) {
  std::array<char, 64> place{};
  std::snprintf(place.data(), place.size(), "%02x:%02x:%llu", major(status.st_dev), minor(status.st_dev),
                static_cast<unsigned long long>(status.st_ino));
  std::istringstream list(read_whole("/proc/locks"));
  std::string line;
  while (std::getline(list, line)) {
    std::istringstream words(line);
    std::string number, family, kind, mode, file;
    std::int64_t process = 0;
    if (words >> number >> family >> kind >> mode >> process >> file && file == place.data() && process > 0) {
      LockOwner owner;
      owner.pid = process;
      return owner;
    }
  }
  return LockOwner();
}

}  // namespace

LockOwner find_lock_owner(int directory, const std::string& sidecar) {
  struct stat status {};
  if (::fstatat(directory, sidecar.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return LockOwner();
  const auto owner = OwnerSearch(identity_of(status), sidecar).run();
  return owner.pid != 0 ? owner : owner_in_list(status);
}

}  // namespace sessile::storage
