#include "disk.hpp"

#include <algorithm>
#include <functional>
#include <sstream>

namespace sessile::crash {

namespace {

const Bytes& no_bytes() {
  static const Bytes empty = std::make_shared<const std::string>();
  return empty;
}

void apply_change(std::string& content, const DataChange& change) {
  if (change.kind == DataChange::Kind::truncate) {
    content.resize(change.offset, '\0');
  } else {
    write_into(content, change.offset, *change.data);
  }
}

void apply_entry(Entries& entries, const EntryChange& change) {
  if (!change.from.empty()) entries.erase(change.from);
  if (change.entry.inode == 0) {
    entries.erase(change.name);
  } else {
    entries[change.name] = change.entry;
  }
}

/// `earlier` was dropped, `later` is durable now: where both have a say, the later one counts.
void cover(DataChange& earlier, const DataChange& later) {
  if (later.kind == DataChange::Kind::truncate) {
    if (earlier.offset >= later.offset) {
      earlier.data = no_bytes();
    } else if (earlier.offset + earlier.data->size() > later.offset) {
      earlier.data =
          std::make_shared<const std::string>(earlier.data->substr(0, later.offset - earlier.offset));
    }
    return;
  }
  const std::uint64_t begin = std::max(earlier.offset, later.offset);
  const std::uint64_t end =
      std::min(earlier.offset + earlier.data->size(), later.offset + later.data->size());
  if (begin >= end) return;
  std::string bytes = *earlier.data;
  bytes.replace(begin - earlier.offset, end - begin, *later.data, begin - later.offset, end - begin);
  earlier.data = std::make_shared<const std::string>(std::move(bytes));
}

void combine(std::size_t& sum, std::size_t part) {
  sum ^= part + 0x9e3779b97f4a7c15ULL + (sum << 6) + (sum >> 2);
}

void fingerprint_tree(const Disk& disk, InodeId directory, std::size_t& sum) {
  for (const auto& [name, entry] : disk.directory(directory)->current) {
    combine(sum, std::hash<std::string>()(name));
    if (entry.kind == storage::FileKind::directory) {
      combine(sum, 1);
      fingerprint_tree(disk, entry.inode, sum);
      combine(sum, 2);
    } else {
      combine(sum, std::hash<std::string>()(*disk.file(entry.inode)->current));
    }
  }
}

std::string printable(const std::string& content) {
  constexpr std::size_t kShown = 300;
  std::string text;
  for (std::size_t i = 0; i < content.size() && text.size() < kShown; ++i) {
    const char byte = content[i];
    const std::size_t run = std::min(content.find_first_not_of(byte, i), content.size()) - i;
    const std::string shown = byte == '\n' ? "\\n"
                                           : (byte < 0x20 || byte > 0x7e ? "\\" + std::to_string(byte & 0xff)
                                                                         : std::string(1, byte));
    text += run > 3 ? shown + "{" + std::to_string(run) + "}" : shown;
    if (run > 3) i += run - 1;
  }
  return text;
}

void describe_tree(const Disk& disk, InodeId directory, const std::string& path, std::string& text) {
  for (const auto& [name, entry] : disk.directory(directory)->current) {
    if (entry.kind == storage::FileKind::directory) {
      text += path + name + "/\n";
      describe_tree(disk, entry.inode, path + name + "/", text);
    } else {
      const std::string& content = *disk.file(entry.inode)->current;
      text += path + name + " (" + std::to_string(content.size()) + "): " + printable(content) + "\n";
    }
  }
}

}  // namespace

void write_into(std::string& content, std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  content.replace(offset, bytes.size(), bytes);
}

std::string Change::describe() const {
  std::ostringstream text;
  static const char* const names[] = {"create",        "make_directory", "rename",    "remove",
                                      "write",         "truncate",       "sync file", "sync file FAILED",
                                      "sync directory"};
  text << names[static_cast<int>(kind)] << " #" << inode;
  if (!name.empty()) text << ' ' << name;
  if (!to.empty()) text << " -> " << to;
  if (made != 0) text << " = #" << made;
  if (kind == Kind::write) text << " at " << offset << ", " << data->size() << " bytes";
  if (kind == Kind::truncate) text << " to " << offset;
  return text.str();
}

Disk::Disk() {
  directories_[kRoot];
}

const FileNode* Disk::file(InodeId inode) const noexcept {
  const auto found = files_.find(inode);
  return found == files_.end() ? nullptr : &found->second;
}

const DirectoryNode* Disk::directory(InodeId inode) const noexcept {
  const auto found = directories_.find(inode);
  return found == directories_.end() ? nullptr : &found->second;
}

void Disk::apply(const Change& change) {
  using Kind = Change::Kind;
  switch (change.kind) {
    case Kind::write:
    case Kind::truncate: {
      FileNode& node = files_.at(change.inode);
      DataChange data;
      data.kind = change.kind == Kind::write ? DataChange::Kind::write : DataChange::Kind::truncate;
      data.offset = change.offset;
      data.data = change.data;
      std::string content = *node.current;
      apply_change(content, data);
      node.current = std::make_shared<const std::string>(std::move(content));
      node.pending.push_back(std::move(data));
      return;
    }
    case Kind::sync_file:
      return sync_file(files_.at(change.inode));
    case Kind::sync_file_failed:
      for (DataChange& pending : files_.at(change.inode).pending)
        pending.dropped = pending.dropped || pending.kind == DataChange::Kind::write;
      return;
    case Kind::sync_directory: {
      DirectoryNode& node = directories_.at(change.inode);
      node.durable = node.current;
      node.pending.clear();
      return;
    }
    case Kind::create:
    case Kind::make_directory:
    case Kind::rename:
    case Kind::remove:
      break;
  }
  DirectoryNode& node = directories_.at(change.inode);
  EntryChange entry;
  entry.name = change.name;
  if (change.kind == Kind::create) {
    files_[change.made].durable = files_[change.made].current = no_bytes();
    entry.entry.inode = change.made;
  } else if (change.kind == Kind::make_directory) {
    directories_[change.made];
    entry.entry.inode = change.made;
    entry.entry.kind = storage::FileKind::directory;
  } else if (change.kind == Kind::rename) {
    entry.entry = node.current.at(change.name);
    entry.from = change.name;
    entry.name = change.to;
  }
  next_ = std::max(next_, change.made + 1);
  apply_entry(node.current, entry);
  node.pending.push_back(std::move(entry));
}

void Disk::sync_file(FileNode& node) {
  std::string content = *node.durable;
  std::vector<DataChange> dropped;
  for (DataChange& change : node.pending) {
    if (change.dropped) {
      dropped.push_back(std::move(change));
      continue;
    }
    apply_change(content, change);
    for (DataChange& earlier : dropped)
      cover(earlier, change);
  }
  node.durable = std::make_shared<const std::string>(std::move(content));
  node.pending = std::move(dropped);
}

void Disk::reach(Disk& made, InodeId from) const {
  for (const auto& [name, entry] : made.directories_.at(from).current) {
    if (entry.kind == storage::FileKind::directory) {
      made.directories_[entry.inode] = directories_.at(entry.inode);
      reach(made, entry.inode);
    } else {
      made.files_[entry.inode] = files_.at(entry.inode);
    }
  }
}

Disk Disk::image(const std::map<InodeId, Bytes>& files, const std::map<InodeId, Entries>& directories) const {
  Disk settled;
  for (const auto& [inode, node] : files_) {
    const auto chosen = files.find(inode);
    FileNode& copy = settled.files_[inode];
    copy.durable = copy.current = chosen == files.end() ? node.durable : chosen->second;
  }
  for (const auto& [inode, node] : directories_) {
    const auto chosen = directories.find(inode);
    DirectoryNode& copy = settled.directories_[inode];
    copy.durable = copy.current = chosen == directories.end() ? node.durable : chosen->second;
  }
  Disk made;
  made.directories_[kRoot] = settled.directories_.at(kRoot);
  settled.reach(made, kRoot);
  made.next_ = next_;
  return made;
}

Disk Disk::image_of_current() const {
  std::map<InodeId, Bytes> contents;
  for (const auto& [inode, node] : files_)
    contents[inode] = node.current;
  std::map<InodeId, Entries> entries;
  for (const auto& [inode, node] : directories_)
    entries[inode] = node.current;
  return image(contents, entries);
}

std::size_t Disk::fingerprint() const {
  std::size_t sum = 0;
  fingerprint_tree(*this, kRoot, sum);
  return sum;
}

std::string Disk::describe() const {
  std::string text;
  describe_tree(*this, kRoot, "/", text);
  return text;
}

namespace {

void find_files(const Disk& disk, InodeId directory, const std::string& path,
                std::map<std::string, Bytes>& found) {
  for (const auto& [name, entry] : disk.directory(directory)->current) {
    if (entry.kind == storage::FileKind::directory) {
      find_files(disk, entry.inode, path + name + "/", found);
    } else {
      found[path + name] = disk.file(entry.inode)->current;
    }
  }
}

}  // namespace

std::map<std::string, Bytes> files_of(const Disk& disk) {
  std::map<std::string, Bytes> found;
  find_files(disk, kRoot, "/", found);
  return found;
}

}  // namespace sessile::crash
