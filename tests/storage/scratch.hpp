// What the storage tests share: a fresh directory each, coroutines run to their end, another process.
#pragma once

#include "storage/file_system.hpp"
#include "support/run.hpp"
#include "support/temporary_directory.hpp"

#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace sessile::test {

/// A directory of its own, removed with all that is in it.
class Scratch : public testing::TemporaryDirectory {
 public:
  std::filesystem::path operator/(std::string_view name) const { return path() / name; }
  std::shared_ptr<storage::Directory> open() const;
  std::shared_ptr<storage::Directory> make(std::string_view name) const;
  /// The names in `path`, sorted.
  static std::vector<std::string> names(const std::filesystem::path& path);
  std::vector<std::string> names() const { return names(path()); }
};

void write(const std::filesystem::path& path, std::string_view content);
std::string read(const std::filesystem::path& path);
unsigned mode_of(const std::filesystem::path& path);
/// How many descriptors this process has open.
std::size_t open_descriptors();

/// Sets the process's umask for a while.
class Umask {
 public:
  explicit Umask(unsigned mask);
  ~Umask();
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  unsigned before_;
};

using testing::run;

/// A process that tries once to lock a sidecar and then keeps what it has until release() or its end.
class Holder {
 public:
  /// `primitive`: ofd, interprocess or flock.
  Holder(const std::filesystem::path& directory, std::string_view sidecar, std::string_view primitive);
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  bool holds() const noexcept { return holds_; }
  pid_t pid() const noexcept { return pid_; }
  /// Lets it end by itself, and waits for that.
  void release();
  void kill();

 private:
  void reap();
  pid_t pid_ = -1;
  int stdin_ = -1;
  bool holds_ = false;
};

/// Whether a process of its own can lock the sidecar now.
bool lockable_elsewhere(const std::filesystem::path& directory, std::string_view sidecar,
                        std::string_view primitive);

}  // namespace sessile::test
