// Sidecars that are open but not locked.
#pragma once

#include "storage/fork_guard.hpp"

#include <cstddef>
#include <list>
#include <map>

namespace sessile::storage {

/// Descriptors kept for whoever locks the same sidecars next: opening and closing one costs more than locking
/// it. The least recently used is closed when there are too many: 256, or an eighth of what the process may
/// have open when that is less. Not thread-safe.
class IdleSidecars {
 public:
  IdleSidecars();
  /// `directory`: whose close_all closes it. Closed at once when there is no memory.
  void put(FileIdentity identity, int directory, LockDescriptor file) noexcept;
  /// Takes it out; empty when it is not here.
  LockDescriptor take(FileIdentity identity) noexcept;
  void close_all(int directory) noexcept;

 private:
  class Entry {
   public:
    FileIdentity identity;
    int directory = -1;
    LockDescriptor file;
  };
  using Entries = std::list<Entry>;

  const std::size_t most_;
  Entries entries_;  // the latest first
  std::map<FileIdentity, Entries::iterator> places_;
};

}  // namespace sessile::storage
