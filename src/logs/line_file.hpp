// A file of plain lines that grows at its end.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"

#include <sessile/options.hpp>
#include <sessile/result.hpp>

#include <string>
#include <string_view>

namespace sessile::detail {

/// What append_line is to write. The views outlive the call.
class LineToAppend {
 public:
  LineToAppend() noexcept {}
  std::string_view header;  ///< written first when the file is missing or empty
  std::string_view line;    ///< without a newline; empty: only the header
  Durability durability = Durability::power;
  /// The largest file that may come of it: what is larger could not be read.
  std::uint64_t size_limit = 0;
};

/// Appends to `name`, made (0600) when it is missing. A last line without a newline is given one first, so
/// that nothing is glued to a torn line; not a byte that is there is taken away.
///
/// With Durability::power the file is synced, and the directory, whose entry may be somebody's who did not
/// sync it. A sync that failed is not tried again: the content is written to a new file that replaces this
/// one, and where that fails too, by the next append (storage/poison_mark.hpp). Precondition: the caller
/// holds the writers' lock. The commit point is the first byte, or the making of the file: `gate` is asked
/// right before it.
///
/// Errors: cancelled, unavailable, too_large, io: no line was added. indeterminate: it may be there, or may
/// be lost with the power.
Result<void> append_line(storage::Directory& directory, const std::string& name, const LineToAppend& what,
                         storage::CommitGate& gate);

}  // namespace sessile::detail
