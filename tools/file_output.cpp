#include "file_output.hpp"

#include <sessile/ids.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sessile::tools {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20;
constexpr mode_t kMode = 0600;

[[noreturn]] void fail(const std::string& path) {
  const int cause = errno;
  throw std::system_error(cause, std::system_category(), "cannot write " + path);
}

// A rename is durable once the directory is.
void sync_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::absolute(path).parent_path().string();
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail(path);
  const int synced = ::fsync(descriptor);
  const int cause = errno;
  ::close(descriptor);
  errno = cause;
  if (synced != 0) fail(path);
}

}  // namespace

FileOutput::FileOutput(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".tmp." + SessionId::random().str()) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode);
  if (descriptor_ < 0) fail(path_);
  // The umask may have taken from the owner as well.
  if (::fchmod(descriptor_, kMode) == 0) return;
  const int cause = errno;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  errno = cause;
  fail(path_);
}

FileOutput::~FileOutput() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void FileOutput::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBuffer) flush();
}

void FileOutput::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t count = ::write(descriptor_, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_);
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  buffer_.clear();
}

void FileOutput::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail(path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(path_);
  sync_directory_of(path_);
}

}  // namespace sessile::tools
