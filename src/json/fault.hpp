// What is wrong with a document, and where in it.
#pragma once

#include <sessile/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sessile::detail {

/// Append a part to a JSON pointer (RFC 6901); long keys are cut, so that no error carries a body.
void append_key(std::string& pointer, std::string_view key);
void append_index(std::string& pointer, std::size_t index);

/// A fault in a value, said without its content.
struct Fault {
  std::string place;  ///< JSON pointer, relative to what was looked at
  std::string problem;
};
/// Empty: nothing is wrong.
using Checked = std::optional<Fault>;

Fault fault_in(std::string_view field, std::string_view problem);
/// The same fault seen from outside: within element `index` of the array `field`.
Fault within(std::string_view field, std::size_t index, Fault fault);
Error to_error(const Fault& fault, Origin origin);

}  // namespace sessile::detail
