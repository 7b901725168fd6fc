// A disk as the kernel and the device see it: what is visible, what is durable, and what is in between.
#pragma once

#include "storage/file_system.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sessile::crash {

using InodeId = std::uint64_t;
/// Shared between a disk and the images made of it.
using Bytes = std::shared_ptr<const std::string>;

inline constexpr InodeId kRoot = 1;
inline constexpr std::uint64_t kSectorBytes = 512;
inline constexpr std::uint64_t kBlockBytes = 4096;

/// A change of a file's data that no sync has covered yet.
class DataChange {
 public:
  enum class Kind { write, truncate };
  Kind kind = Kind::write;
  std::uint64_t offset = 0;  ///< of a write; of a truncation: the new size
  Bytes data;                ///< of a write
  bool dropped = false;      ///< a sync of it failed: later ones say that all is well, and do not write it
};

class Entry {
 public:
  InodeId inode = 0;
  storage::FileKind kind = storage::FileKind::regular;
  friend bool operator==(const Entry&, const Entry&) = default;
};

/// A change of a directory that no sync has covered yet. One step for the device: all of it or nothing.
class EntryChange {
 public:
  std::string name;
  Entry entry;       ///< what the name stands for then; inode 0: nothing
  std::string from;  ///< of a rename: the name that is gone then
  bool touches(const EntryChange& other) const noexcept {
    const auto uses = [&other](const std::string& text) {
      return !text.empty() && (text == other.name || text == other.from);
    };
    return uses(name) || uses(from);
  }
};

class FileNode {
 public:
  Bytes durable;
  Bytes current;
  std::vector<DataChange> pending;
};

using Entries = std::map<std::string, Entry>;

class DirectoryNode {
 public:
  Entries durable;
  Entries current;
  std::vector<EntryChange> pending;
};

/// A call that changed the disk, or its durability: what a trace is made of.
class Change {
 public:
  enum class Kind {
    create,
    make_directory,
    rename,
    remove,
    write,
    truncate,
    sync_file,
    sync_file_failed,
    sync_directory,
  };
  Kind kind = Kind::create;
  InodeId inode = 0;  ///< the file or the directory that the call is about
  InodeId made = 0;
  std::string name;
  std::string to;
  std::uint64_t offset = 0;
  Bytes data;
  std::string describe() const;
};

/// Assumptions about the device, which docs/durability.md makes as well: a sync that succeeded made durable
/// what it covers; a rename is one step; a sector is old or new, but for the one where a write was torn.
/// Everything else that POSIX leaves open may happen, see crash_states.hpp.
///
/// After a failed sync of a file its data is never written, whatever later syncs say, as on Linux. That of a
/// directory's entries stays to be done by the next one.
class Disk {
 public:
  /// An empty one: only the root directory, durable.
  Disk();

  void apply(const Change& change);

  /// Null: there is none.
  const FileNode* file(InodeId inode) const noexcept;
  const DirectoryNode* directory(InodeId inode) const noexcept;
  const std::map<InodeId, FileNode>& files() const noexcept { return files_; }
  const std::map<InodeId, DirectoryNode>& directories() const noexcept { return directories_; }
  InodeId next_inode() const noexcept { return next_; }

  /// The disk after a loss of power with these contents for what was pending. Nothing of it is pending, and
  /// what no name leads to is gone.
  Disk image(const std::map<InodeId, Bytes>& files, const std::map<InodeId, Entries>& directories) const;
  /// The same with all that was visible.
  Disk image_of_current() const;

  /// One number for all that is reachable: names, kinds and contents.
  std::size_t fingerprint() const;
  /// The same as text, for people.
  std::string describe() const;

 private:
  void sync_file(FileNode& node);
  void reach(Disk& made, InodeId from) const;

  std::map<InodeId, FileNode> files_;
  std::map<InodeId, DirectoryNode> directories_;
  InodeId next_ = kRoot + 1;
};

/// What every name that leads to a file, with its path from the root on, holds as it is visible.
std::map<std::string, Bytes> files_of(const Disk& disk);

/// `content` with the bytes written; what is between its end and `offset` becomes NUL.
void write_into(std::string& content, std::uint64_t offset, std::string_view bytes);

}  // namespace sessile::crash
