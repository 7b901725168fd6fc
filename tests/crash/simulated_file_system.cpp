#include "simulated_file_system.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace sessile::crash {

using storage::FileInfo;
using storage::FileKind;
using storage::SysResult;
using ErrorCode = boost::system::error_code;

namespace {

ErrorCode code(int number) {
  return ErrorCode(number, boost::system::system_category());
}

/// The process keeps tables of locks and of poisoned logs by device and inode: two machines never share one.
std::uint64_t next_device() {
  static std::atomic<std::uint64_t> next{1};
  return (std::uint64_t{0xd15c} << 40) + next++;
}

/// Every file was last changed at the same time: what depends on that is wrong.
constexpr std::int64_t kModifiedSeconds = 1'700'000'000;

FileInfo info_of(const Disk& disk, std::uint64_t device, const Entry& entry) {
  FileInfo info;
  info.kind = entry.kind;
  info.identity = storage::FileIdentity(device, entry.inode);
  info.modified = std::chrono::sys_time<std::chrono::microseconds>(std::chrono::seconds(kModifiedSeconds));
  if (const FileNode* node = disk.file(entry.inode)) info.size = node->current->size();
  return info;
}

}  // namespace

class SimulatedFile final : public storage::File {
 public:
  SimulatedFile(Machine& machine, InodeId inode, std::string name)
      : machine_(machine), inode_(inode), name_(std::move(name)) {
    ++machine_.open_files_;
  }
  ~SimulatedFile() override { forget(); }

  SysResult<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    if (auto error = machine_.enter("read", name_)) return error;
    const std::string& content = content_now();
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(into.size(), content.size() - offset);
    std::copy_n(content.data() + offset, count, into.data());
    return count;
  }
  SysResult<std::size_t> write_at(std::uint64_t offset, std::span<const char> from) override {
    if (auto error = machine_.enter("write", name_)) return error;
    const std::size_t count = std::min(from.size(), machine_.longest_write);
    if (count == 0) return count;
    auto change = made(Change::Kind::write);
    change.offset = offset;
    change.data = std::make_shared<const std::string>(from.data(), count);
    machine_.change(std::move(change));
    return count;
  }
  SysResult<FileInfo> info() override {
    if (auto error = machine_.enter("file_info", name_)) return error;
    Entry entry;
    entry.inode = inode_;
    return info_of(machine_.disk_, machine_.device_, entry);
  }
  SysResult<void> sync_data() override {
    if (auto error = machine_.enter("sync", name_)) {
      machine_.change(made(Change::Kind::sync_file_failed));
      return error;
    }
    machine_.change(made(Change::Kind::sync_file));
    return {};
  }
  SysResult<void> truncate(std::uint64_t size) override {
    if (auto error = machine_.enter("truncate", name_)) return error;
    auto change = made(Change::Kind::truncate);
    change.offset = size;
    machine_.change(std::move(change));
    return {};
  }
  SysResult<void> close() override {
    const auto error = machine_.enter("close", name_);
    forget();
    if (error) return error;
    return {};
  }

 private:
  const std::string& content_now() const { return *machine_.disk_.file(inode_)->current; }
  Change made(Change::Kind kind) const {
    Change change;
    change.kind = kind;
    change.inode = inode_;
    return change;
  }
  void forget() {
    if (std::exchange(open_, false)) --machine_.open_files_;
  }

  Machine& machine_;
  const InodeId inode_;
  const std::string name_;
  bool open_ = true;
};

class SimulatedLock final : public storage::LockFile {
 public:
  SimulatedLock(Machine& machine, InodeId inode) : machine_(machine), inode_(inode) {
    machine_.locks_.insert(inode);
  }
  ~SimulatedLock() override { machine_.locks_.erase(inode_); }

 private:
  Machine& machine_;
  const InodeId inode_;
};

class SimulatedDirectory final : public storage::Directory {
 public:
  SimulatedDirectory(Machine& machine, InodeId inode, std::filesystem::path path)
      : machine_(machine), inode_(inode), path_(std::move(path)) {
    ++machine_.open_directories_;
  }
  ~SimulatedDirectory() override { --machine_.open_directories_; }

  SysResult<std::unique_ptr<storage::File>> open_file(const std::string& name,
                                                      storage::OpenMode mode) override {
    const bool create = mode == storage::OpenMode::create_exclusive;
    if (auto error = machine_.enter(create ? "create" : "open", name)) return error;
    const Entry* entry = find(name);
    if (create) {
      if (entry != nullptr) return code(EEXIST);
      auto made = make(Change::Kind::create, name);
      if (!made) return made.error();
      return std::unique_ptr<storage::File>(std::make_unique<SimulatedFile>(machine_, *made, name));
    }
    if (entry == nullptr) return code(ENOENT);
    if (entry->kind != FileKind::regular) return code(EISDIR);
    return std::unique_ptr<storage::File>(std::make_unique<SimulatedFile>(machine_, entry->inode, name));
  }
  SysResult<std::shared_ptr<Directory>> open_directory(const std::string& name) override {
    if (auto error = machine_.enter("open_directory", name)) return error;
    const Entry* entry = find(name);
    if (entry == nullptr) return code(ENOENT);
    if (entry->kind != FileKind::directory) return code(ENOTDIR);
    return std::shared_ptr<Directory>(
        std::make_shared<SimulatedDirectory>(machine_, entry->inode, path_ / name));
  }
  SysResult<void> make_directory(const std::string& name) override {
    if (auto error = machine_.enter("make_directory", name)) return error;
    if (find(name) != nullptr) return code(EEXIST);
    auto made = make(Change::Kind::make_directory, name);
    if (!made) return made.error();
    return {};
  }
  SysResult<FileInfo> info(const std::string& name) override {
    if (auto error = machine_.enter("info", name)) return error;
    const Entry* entry = find(name);
    if (entry == nullptr) return code(ENOENT);
    return info_of(machine_.disk_, machine_.device_, *entry);
  }
  SysResult<void> rename(const std::string& from, const std::string& to) override {
    if (auto error = machine_.enter("rename", to)) return error;
    if (find(from) == nullptr) return code(ENOENT);
    Change change;
    change.kind = Change::Kind::rename;
    change.inode = inode_;
    change.name = from;
    change.to = to;
    machine_.change(std::move(change));
    return {};
  }
  SysResult<void> remove(const std::string& name) override {
    if (auto error = machine_.enter("remove", name)) return error;
    const Entry* entry = find(name);
    if (entry == nullptr) return code(ENOENT);
    if (entry->kind == FileKind::directory) return code(EISDIR);
    machine_.change(removal(name));
    return {};
  }
  SysResult<std::vector<storage::DirectoryEntry>> list() override {
    if (auto error = machine_.enter("list", path_.filename().string())) return error;
    std::vector<storage::DirectoryEntry> entries;
    for (const auto& [name, entry] : machine_.disk_.directory(inode_)->current)
      entries.emplace_back(name, entry.kind);
    return entries;
  }
  SysResult<void> sync() override {
    if (auto error = machine_.enter("sync_directory", path_.filename().string())) return error;
    Change change;
    change.kind = Change::Kind::sync_directory;
    change.inode = inode_;
    machine_.change(std::move(change));
    return {};
  }
  SysResult<std::unique_ptr<storage::LockFile>> try_lock(const std::string& name, LockPrimitive) override {
    if (auto error = machine_.enter("lock", name)) return error;
    InodeId sidecar = 0;
    if (const Entry* entry = find(name)) {
      if (entry->kind != FileKind::regular) return code(EISDIR);
      sidecar = entry->inode;
    } else {
      auto made = make(Change::Kind::create, name);
      if (!made) return made.error();
      sidecar = *made;
    }
    if (machine_.locks_.contains(sidecar)) return code(EWOULDBLOCK);
    return std::unique_ptr<storage::LockFile>(std::make_unique<SimulatedLock>(machine_, sidecar));
  }
  storage::LockOwner lock_holder(const std::string&) override { return storage::LockOwner(); }
  storage::FileIdentity identity() const noexcept override {
    return storage::FileIdentity(machine_.device_, inode_);
  }
  const std::filesystem::path& path() const noexcept override { return path_; }

 private:
  /// Null: no such name.
  const Entry* find(const std::string& name) const {
    const Entries& entries = machine_.disk_.directory(inode_)->current;
    const auto found = entries.find(name);
    return found == entries.end() ? nullptr : &found->second;
  }
  SysResult<InodeId> make(Change::Kind kind, const std::string& name) {
    Change change;
    change.kind = kind;
    change.inode = inode_;
    change.name = name;
    const InodeId inode = machine_.new_inode();
    change.made = inode;
    machine_.change(std::move(change));
    return inode;
  }
  Change removal(const std::string& name) const {
    Change change;
    change.kind = Change::Kind::remove;
    change.inode = inode_;
    change.name = name;
    return change;
  }

  Machine& machine_;
  const InodeId inode_;
  const std::filesystem::path path_;
};

class SimulatedFileSystem final : public storage::FileSystem {
 public:
  explicit SimulatedFileSystem(Machine& machine) : machine_(machine) {}
  SysResult<std::shared_ptr<storage::Directory>> open_directory(const std::filesystem::path& path) override {
    if (auto error = machine_.enter("open_directory", path.string())) return error;
    Entry at;
    at.inode = kRoot;
    at.kind = FileKind::directory;
    for (const auto& part : path.relative_path()) {
      if (part.empty()) continue;
      if (at.kind != FileKind::directory) return code(ENOTDIR);
      const Entries& entries = machine_.disk_.directory(at.inode)->current;
      const auto found = entries.find(part.string());
      if (found == entries.end()) return code(ENOENT);
      at = found->second;
    }
    if (at.kind != FileKind::directory) return code(ENOTDIR);
    return std::shared_ptr<storage::Directory>(
        std::make_shared<SimulatedDirectory>(machine_, at.inode, path));
  }

 private:
  Machine& machine_;
};

Machine::Machine(Disk disk) : disk_(std::move(disk)), device_(next_device()) {}

ErrorCode Machine::enter(const char* kind, const std::string& name) {
  if (!before) return {};
  const int number = before(SeamCall{kind, name});
  return number == 0 ? ErrorCode() : code(number);
}

void Machine::change(Change change) {
  disk_.apply(change);
  trace_.push_back(std::move(change));
}

std::shared_ptr<storage::FileSystem> Machine::files() {
  return std::make_shared<SimulatedFileSystem>(*this);
}

}  // namespace sessile::crash
