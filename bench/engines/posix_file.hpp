// The few system calls that the floor and the 50 ms baseline are made of.
#pragma once

#include "bench/engines/engine.hpp"

#include <string>
#include <string_view>

namespace sessile::bench {

/// A descriptor that is closed when it goes. Movable.
class PosixFile {
 public:
  explicit PosixFile(int descriptor = -1) noexcept : descriptor_(descriptor) {}
  PosixFile(PosixFile&& other) noexcept;
  PosixFile& operator=(PosixFile&& other) noexcept;
  ~PosixFile();

  /// open(2) with O_CLOEXEC, and mode 0600 for a file that is made.
  static Result<PosixFile> open(const std::string& path, int flags);
  int get() const noexcept { return descriptor_; }
  /// Writes all of it at the descriptor's offset.
  Result<void> write_all(std::string_view bytes) const;
  Result<void> sync() const;
  Result<void> sync_data() const;

 private:
  int descriptor_;
};

/// The whole file. Errors: not_found, io.
Result<std::string> read_file(const std::string& path);

/// Writes `bytes` to a new file beside `path`, syncs it and renames it over `path`.
Result<void> write_and_rename(const std::string& path, std::string_view bytes, Sync sync);

}  // namespace sessile::bench
