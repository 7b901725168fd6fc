// Descriptors that a forked child must not keep.
#pragma once

#include "storage/descriptor.hpp"

#include <string>

namespace sessile::storage {

/// A descriptor on which a lock is taken. An open file description is shared with a child made by fork, and
/// its locks live until both have closed it: a child that knows nothing of this would keep the lock after its
/// parent's death, and its place in the line. So every child closes these as its first act. (A child that is
/// made by other means and then execs loses them to O_CLOEXEC.) Movable. Thread-safe as a whole, not each
/// one.
class LockDescriptor {
 public:
  LockDescriptor() noexcept = default;
  /// openat, made known in one step: no fork comes in between.
  static SysResult<LockDescriptor> open(int directory, const std::string& name, int flags);
  LockDescriptor(LockDescriptor&&) noexcept = default;
  LockDescriptor& operator=(LockDescriptor&& other) noexcept;
  ~LockDescriptor();

  explicit operator bool() const noexcept { return static_cast<bool>(descriptor_); }
  /// -1 in a child of the process that opened it.
  int get() const noexcept;

 private:
  LockDescriptor(Descriptor descriptor, unsigned generation) noexcept
      : descriptor_(std::move(descriptor)), generation_(generation) {}
  void close() noexcept;
  Descriptor descriptor_;
  unsigned generation_ = 0;  // of processes: which one opened it
};

}  // namespace sessile::storage
