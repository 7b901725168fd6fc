// JSON for people to read.
#pragma once

#include <boost/json/value.hpp>

#include <string>

namespace sessile::detail {

/// Appends `value` with each field and element on a line of its own, indented by two spaces; numbers and
/// strings as write_json writes them. Preconditions: as write_json.
void write_pretty_json(std::string& out, const boost::json::value& value);

}  // namespace sessile::detail
