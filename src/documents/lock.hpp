// The lock of a category: its sidecar, the record of who holds it, and its ownership by a DocumentLock.
#pragma once

#include "documents/core.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/io_pool.hpp"

#include <memory>
#include <mutex>
#include <optional>

namespace sessile::detail {

/// The sidecar in the category's directory. No document's file begins with a dot.
inline constexpr const char* kLockFile = ".lock";
/// Beside it: who took the lock last, for messages only. Not in the sidecar itself: to close a descriptor of
/// that file would drop a POSIX record lock of this process on it.
inline constexpr const char* kHolderFile = ".lock.holder";

/// Writes this process into the record. Blocks. A failure leaves the record without meaning, and is dropped:
/// the kernel's lock decides, not this file.
void note_holder(storage::Directory& directory) noexcept;

/// Who took the lock last, where that can be read. Blocks.
std::optional<LockHolder> read_holder(storage::Directory& directory);

/// Completes a `locked` error: category, timeout, holder. Blocks.
Error describe_locked(Error error, const std::string& category, std::chrono::milliseconds timeout,
                      storage::Directory& directory);

/// A held lock, shared by a DocumentLock and its operations under way.
class DocumentHold {
 public:
  /// Of a lock that was given back.
  DocumentHold() noexcept {}
  DocumentHold(std::shared_ptr<storage::Directory> directory, storage::HeldLock lock) noexcept
      : directory_(std::move(directory)), lock_(std::move(lock)) {}

  /// Null: given back.
  const std::shared_ptr<storage::Directory>& directory() const noexcept { return directory_; }

  /// Operations on one DocumentLock run one at a time: the lock keeps only others out.
  std::mutex turn;

  /// The one that stands for every lock that was given back.
  static const std::shared_ptr<DocumentHold>& given_back();

 private:
  const std::shared_ptr<storage::Directory> directory_;
  const std::optional<storage::HeldLock> lock_;
};

}  // namespace sessile::detail
