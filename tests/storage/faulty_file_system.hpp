// A file system that counts what is asked of another one, and fails it where a test says so.
#pragma once

#include "storage/file_system.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace sessile::storage::testing {

/// What a test wants to happen, and what has. Thread-safe, but for `before`, which is set while nothing runs.
class Faults {
 public:
  /// Called before each call that changes something, with its name ("write", "sync", "truncate", "create",
  /// "rename", "remove", "make_directory", "sync_directory") and the name it is about. Answers with an error
  /// to fail it with.
  std::function<boost::system::error_code(const std::string& call, const std::string& name)> before;
  /// A write takes at most this many bytes.
  std::size_t longest_write = SIZE_MAX;
  std::atomic<std::uint64_t> bytes_read{0};
  std::atomic<std::uint64_t> bytes_written{0};

  boost::system::error_code ask(const std::string& call, const std::string& name) {
    return before ? before(call, name) : boost::system::error_code();
  }
};

inline boost::system::error_code os_error(boost::system::errc::errc_t code) {
  return boost::system::error_code(code, boost::system::system_category());
}

class FaultyFile final : public File {
 public:
  FaultyFile(std::unique_ptr<File> file, std::shared_ptr<Faults> faults, std::string name)
      : file_(std::move(file)), faults_(std::move(faults)), name_(std::move(name)) {}
  SysResult<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    auto got = file_->read_at(offset, into);
    if (got) faults_->bytes_read += *got;
    return got;
  }
  SysResult<std::size_t> write_at(std::uint64_t offset, std::span<const char> from) override {
    if (auto error = faults_->ask("write", name_)) return error;
    auto put = file_->write_at(offset, from.first(std::min(from.size(), faults_->longest_write)));
    if (put) faults_->bytes_written += *put;
    return put;
  }
  SysResult<FileInfo> info() override { return file_->info(); }
  SysResult<void> sync_data() override {
    if (auto error = faults_->ask("sync", name_)) return error;
    return file_->sync_data();
  }
  SysResult<void> truncate(std::uint64_t size) override {
    if (auto error = faults_->ask("truncate", name_)) return error;
    return file_->truncate(size);
  }
  SysResult<void> close() override { return file_->close(); }

 private:
  std::unique_ptr<File> file_;
  std::shared_ptr<Faults> faults_;
  std::string name_;
};

class FaultyDirectory final : public Directory {
 public:
  FaultyDirectory(std::shared_ptr<Directory> directory, std::shared_ptr<Faults> faults)
      : directory_(std::move(directory)), faults_(std::move(faults)) {}
  SysResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode) override {
    if (mode == OpenMode::create_exclusive) {
      if (auto error = faults_->ask("create", name)) return error;
    }
    auto file = directory_->open_file(name, mode);
    if (!file) return file.error();
    return std::unique_ptr<File>(std::make_unique<FaultyFile>(std::move(*file), faults_, name));
  }
  SysResult<std::shared_ptr<Directory>> open_directory(const std::string& name) override {
    auto opened = directory_->open_directory(name);
    if (!opened) return opened.error();
    return std::shared_ptr<Directory>(std::make_shared<FaultyDirectory>(std::move(*opened), faults_));
  }
  SysResult<void> make_directory(const std::string& name) override {
    if (auto error = faults_->ask("make_directory", name)) return error;
    return directory_->make_directory(name);
  }
  SysResult<FileInfo> info(const std::string& name) override { return directory_->info(name); }
  SysResult<void> rename(const std::string& from, const std::string& to) override {
    if (auto error = faults_->ask("rename", to)) return error;
    return directory_->rename(from, to);
  }
  SysResult<void> remove(const std::string& name) override {
    if (auto error = faults_->ask("remove", name)) return error;
    return directory_->remove(name);
  }
  SysResult<std::vector<DirectoryEntry>> list() override { return directory_->list(); }
  SysResult<void> sync() override {
    if (auto error = faults_->ask("sync_directory", directory_->path().filename().string())) return error;
    return directory_->sync();
  }
  SysResult<std::unique_ptr<LockFile>> try_lock(const std::string& name, LockPrimitive primitive) override {
    return directory_->try_lock(name, primitive);
  }
  LockOwner lock_holder(const std::string& name) override { return directory_->lock_holder(name); }
  SysResult<std::unique_ptr<Sidecar>> open_sidecar(const std::string& name,
                                                   LockPrimitive primitive) override {
    return directory_->open_sidecar(name, primitive);
  }
  SysResult<std::unique_ptr<LinePlace>> stand_in_line(const std::string& name, Arrival arrival) override {
    return directory_->stand_in_line(name, arrival);
  }
  bool anybody_in_line(const std::string& name, Arrival before) noexcept override {
    return directory_->anybody_in_line(name, before);
  }
  void ring_for_next(const std::string& name) noexcept override { directory_->ring_for_next(name); }
  FileIdentity identity() const noexcept override { return directory_->identity(); }
  bool deleted() const noexcept override { return directory_->deleted(); }
  const std::filesystem::path& path() const noexcept override { return directory_->path(); }

 private:
  std::shared_ptr<Directory> directory_;
  std::shared_ptr<Faults> faults_;
};

class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(std::shared_ptr<Faults> faults) : faults_(std::move(faults)) {}
  SysResult<std::shared_ptr<Directory>> open_directory(const std::filesystem::path& path) override {
    auto opened = real_file_system()->open_directory(path);
    if (!opened) return opened.error();
    return std::shared_ptr<Directory>(std::make_shared<FaultyDirectory>(std::move(*opened), faults_));
  }

 private:
  std::shared_ptr<Faults> faults_;
};

}  // namespace sessile::storage::testing
