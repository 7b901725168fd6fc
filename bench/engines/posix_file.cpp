#include "bench/engines/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace sessile::bench {

PosixFile::PosixFile(PosixFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

PosixFile& PosixFile::operator=(PosixFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

PosixFile::~PosixFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<PosixFile> PosixFile::open(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (descriptor >= 0) return PosixFile(descriptor);
  if (errno == ENOENT) return Error(Errc::not_found).with_path(path);
  return system_error("open", errno).with_path(path);
}

Result<void> PosixFile::write_all(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return success();
}

Result<void> PosixFile::sync() const {
  if (::fsync(descriptor_) != 0) return system_error("fsync", errno);
  return success();
}

Result<void> PosixFile::sync_data() const {
  if (::fdatasync(descriptor_) != 0) return system_error("fdatasync", errno);
  return success();
}

Result<std::string> read_file(const std::string& path) {
  auto file = PosixFile::open(path, O_RDONLY);
  if (!file) return file.error();
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return system_error("fstat", errno);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::read(file->get(), bytes.data() + got, bytes.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read", errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

Result<void> write_and_rename(const std::string& path, std::string_view bytes, Sync sync) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary =
      path + ".tmp." + std::to_string(::getpid()) + '.' + std::to_string(counter.fetch_add(1));
  auto written = [&]() -> Result<void> {
    auto file = PosixFile::open(temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) return file.error();
    if (auto done = file->write_all(bytes); !done) return done;
    if (sync == Sync::yes) return file->sync();
    return success();
  }();
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = system_error("rename", errno);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace sessile::bench
