// One line of a transcript, taken apart into the JSON values it holds.
#pragma once

#include "import/importer.hpp"

#include <boost/json/value.hpp>

#include <string_view>
#include <vector>

namespace sessile::importing {

/// One JSON value of a transcript.
class Record {
 public:
  Record(std::uint64_t line_, std::uint64_t index_, json::value value_)
      : line(line_), index(index_), value(std::move(value_)) {}
  std::uint64_t line;   ///< counted from 1; glued records share one
  std::uint64_t index;  ///< counted from 0 over the file
  json::value value;
};

/// Appends the JSON values of `line` to `records`, several when records are glued together, and reports what
/// is none. A blank line is neither.
void parse_line(std::string_view line, std::uint64_t number, const ImportLimits& limits,
                std::vector<Record>& records, FileReport& report);

/// The string at `key` of an object; empty when there is none.
std::string_view string_at(const json::value& object, std::string_view key) noexcept;
/// The value at `key` of an object; null when there is none.
const json::value* value_at(const json::value& object, std::string_view key) noexcept;

}  // namespace sessile::importing
