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
#include <vector>

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
  /// `primitive`: ofd, interprocess, flock or plain-flock; `how`: as lock_holder.cpp says.
  Holder(const std::filesystem::path& directory, std::string_view sidecar, std::string_view primitive,
         std::string_view how = "");
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  bool holds() const noexcept { return holds_; }
  pid_t pid() const noexcept { return pid_; }
  /// Lets it end by itself, and waits for that.
  void release();
  void kill();
  /// Frees a lock that was taken with `keep`; its descriptor stays open.
  void unlock_but_keep_open();

 private:
  void reap();
  pid_t pid_ = -1;
  int stdin_ = -1;
  bool holds_ = false;
};

/// Another program, killed at the end of this object unless it was waited for.
class Program {
 public:
  explicit Program(std::vector<std::string> words);
  ~Program();
  Program(Program&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Program& operator=(Program&&) = delete;
  /// SIGSTOP: returns when it has stopped.
  void signal(int number);
  /// Its exit code; -1 when a signal ended it.
  int wait();

 private:
  pid_t pid_ = -1;
};

/// Whether a process of its own can lock the sidecar now.
bool lockable_elsewhere(const std::filesystem::path& directory, std::string_view sidecar,
                        std::string_view primitive);

}  // namespace sessile::test
