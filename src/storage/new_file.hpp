// A file under a name of its own, for as long as nobody knows of it.
#pragma once

#include "storage/file_system.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sessile::storage {

/// A file that is being made, to be renamed or kept when it is whole: else it is unlinked with this. Its
/// owner is there before it, so that nothing is left when memory runs out. The directory must outlive it. Not
/// thread-safe.
class NewFile {
 public:
  NewFile(Directory& directory, std::string name);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// At most once, before anything else. EEXIST: the name is another's, which is left alone.
  SysResult<void> make();
  /// Writes all of `bytes` behind what was written before.
  SysResult<void> write(std::string_view bytes);
  /// It stays, or was renamed.
  void keep() noexcept { kept_ = true; }

  const std::string& name() const noexcept { return name_; }
  File& file() noexcept { return *file_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  Directory& directory_;
  const std::string name_;
  std::unique_ptr<File> file_;  // null until it was made
  std::uint64_t size_ = 0;
  bool kept_ = false;
};

}  // namespace sessile::storage
