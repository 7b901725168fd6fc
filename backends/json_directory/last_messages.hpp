// A record's text without its early messages, so that a load of the last ones need not parse all.
#pragma once

#include "storage/log_record.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace sessile::json_directory {

/// A record that was shortened.
class Shortened {
 public:
  Shortened() {}
  std::uint64_t kept = 0;
  std::uint64_t omitted = 0;
  std::string text;  ///< the record's line without the omitted messages; empty when there are none
};

/// Leaves out all but the last `most` messages that the record adds or holds. Looks for where values begin
/// and end only, which is enough for a record that checked out. Empty: the record is not in the form in which
/// this version writes them, and has to be parsed whole.
std::optional<Shortened> without_early_messages(const storage::LogRecord& record, std::uint64_t most);

}  // namespace sessile::json_directory
