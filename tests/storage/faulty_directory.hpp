// A Directory whose every call can be made to fail.
#pragma once

#include "storage/file_system.hpp"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sessile::test {

/// Counts the calls that pass through, and fails one of them.
class Faults {
 public:
  /// The `index`-th call (from 0) fails with `error_number` instead of being made; negative: none.
  int index = -1;
  int error_number = EIO;
  /// Writes take at most this many bytes a call.
  std::size_t longest_write = ~std::size_t{0};
  std::vector<std::string> calls;
  /// Calls of these kinds fail each time with `error_number`, and are not counted: "remove",
  /// "make_directory", "list", "lock".
  std::set<std::string> failing;

  /// The error of the call, or 0.
  int enter(std::string call) {
    calls.push_back(std::move(call));
    return static_cast<int>(calls.size()) - 1 == index ? error_number : 0;
  }
  int enter_uncounted(const std::string& call) const { return failing.contains(call) ? error_number : 0; }
  static boost::system::error_code code(int number) {
    return boost::system::error_code(number, boost::system::system_category());
  }
};

class FaultyFile final : public storage::File {
 public:
  FaultyFile(std::shared_ptr<Faults> faults, std::unique_ptr<storage::File> inner)
      : faults_(std::move(faults)), inner_(std::move(inner)) {}

  storage::SysResult<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    if (const int error = faults_->enter("read")) return Faults::code(error);
    return inner_->read_at(offset, into);
  }
  storage::SysResult<std::size_t> write_at(std::uint64_t offset, std::span<const char> from) override {
    if (const int error = faults_->enter("write")) return Faults::code(error);
    return inner_->write_at(offset, from.first(std::min(from.size(), faults_->longest_write)));
  }
  storage::SysResult<storage::FileInfo> info() override {
    if (const int error = faults_->enter("info")) return Faults::code(error);
    return inner_->info();
  }
  storage::SysResult<void> sync_data() override {
    if (const int error = faults_->enter("sync")) return Faults::code(error);
    return inner_->sync_data();
  }
  storage::SysResult<void> truncate(std::uint64_t size) override { return inner_->truncate(size); }
  storage::SysResult<void> close() override {
    if (const int error = faults_->enter("close")) return Faults::code(error);
    return inner_->close();
  }

 private:
  std::shared_ptr<Faults> faults_;
  std::unique_ptr<storage::File> inner_;
};

class FaultyDirectory final : public storage::Directory {
 public:
  FaultyDirectory(std::shared_ptr<Faults> faults, std::shared_ptr<storage::Directory> inner)
      : faults_(std::move(faults)), inner_(std::move(inner)) {}

  storage::SysResult<std::unique_ptr<storage::File>> open_file(const std::string& name,
                                                               storage::OpenMode mode) override {
    if (const int error = faults_->enter("open")) return Faults::code(error);
    auto opened = inner_->open_file(name, mode);
    if (!opened) return opened.error();
    return std::make_unique<FaultyFile>(faults_, std::move(*opened));
  }
  storage::SysResult<void> rename(const std::string& from, const std::string& to) override {
    if (const int error = faults_->enter("rename")) return Faults::code(error);
    return inner_->rename(from, to);
  }
  storage::SysResult<void> sync() override {
    if (const int error = faults_->enter("sync directory")) return Faults::code(error);
    return inner_->sync();
  }
  storage::SysResult<void> remove(const std::string& name) override {
    if (const int error = faults_->enter_uncounted("remove")) return Faults::code(error);
    return inner_->remove(name);
  }
  storage::SysResult<std::shared_ptr<Directory>> open_directory(const std::string& name) override {
    auto opened = inner_->open_directory(name);
    if (!opened) return opened;
    return std::make_shared<FaultyDirectory>(faults_, std::move(*opened));
  }
  storage::SysResult<void> make_directory(const std::string& name) override {
    if (const int error = faults_->enter_uncounted("make_directory")) return Faults::code(error);
    return inner_->make_directory(name);
  }
  storage::SysResult<storage::FileInfo> info(const std::string& name) override { return inner_->info(name); }
  storage::SysResult<std::vector<storage::DirectoryEntry>> list() override {
    if (const int error = faults_->enter_uncounted("list")) return Faults::code(error);
    return inner_->list();
  }
  storage::SysResult<std::unique_ptr<storage::LockFile>> try_lock(const std::string& name,
                                                                  LockPrimitive primitive) override {
    if (const int error = faults_->enter_uncounted("lock")) return Faults::code(error);
    return inner_->try_lock(name, primitive);
  }
  storage::LockOwner lock_holder(const std::string& name) override { return inner_->lock_holder(name); }
  storage::SysResult<std::unique_ptr<storage::Sidecar>> open_sidecar(const std::string& name,
                                                                     LockPrimitive primitive) override {
    if (const int error = faults_->enter_uncounted("lock")) return Faults::code(error);
    return inner_->open_sidecar(name, primitive);
  }
  storage::SysResult<std::unique_ptr<storage::LinePlace>> stand_in_line(const std::string& name,
                                                                        storage::Arrival arrival) override {
    return inner_->stand_in_line(name, arrival);
  }
  bool anybody_in_line(const std::string& name, storage::Arrival before) noexcept override {
    return inner_->anybody_in_line(name, before);
  }
  void ring_for_next(const std::string& name) noexcept override { inner_->ring_for_next(name); }
  storage::FileIdentity identity() const noexcept override { return inner_->identity(); }
  bool deleted() const noexcept override { return inner_->deleted(); }
  const std::filesystem::path& path() const noexcept override { return inner_->path(); }

 private:
  std::shared_ptr<Faults> faults_;
  std::shared_ptr<storage::Directory> inner_;
};

}  // namespace sessile::test
