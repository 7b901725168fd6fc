// Where bytes that cannot be read are kept, for whoever can make something of them.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/result.hpp>
#include <sessile/verify.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace sessile::storage {

inline constexpr const char* kQuarantine = "quarantine";

/// A name that nothing has: of `file`, cut to `most` bytes, `mark`, the time and a nonce.
std::string name_aside(std::string_view file, std::string_view mark, std::size_t most);

/// The directory `name` in `home`, made (0700) when something is put there. Each entry is a file
/// NAME.TIME-NONCE, made exclusively, so that none is ever overwritten, and beside it
/// NAME.TIME-NONCE.reason.json that says where the bytes are from and what was wrong with them. An entry and
/// its name are on the device before a function returns success. Precondition of all: the caller holds the
/// lock of the file's writers. `home` must outlive it.
class Quarantine {
 public:
  explicit Quarantine(Directory& home, std::string name = kQuarantine)
      : home_(home), name_(std::move(name)) {}

  /// Copies `file` of `from` from byte `offset` on, and sets finding.quarantine. Errors: io, unavailable.
  Result<void> copy(Directory& from, const std::string& file, std::uint64_t offset, Finding& finding);
  /// Copies all of it, then unlinks it. When the copy fails nothing is unlinked.
  Result<void> move(Directory& from, const std::string& file, Finding& finding);

 private:
  Directory& home_;
  const std::string name_;
};

}  // namespace sessile::storage
