// Numbers as text and back, exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sessile::detail {

/// The double that a JSON number's text stands for; for an integer, only the one that equals it. Empty when
/// there is none: overflow, underflow to zero, an integer between two doubles.
std::optional<double> exact_double(std::string_view text);

void append_number(std::string& out, std::int64_t value);
void append_number(std::string& out, std::uint64_t value);
/// The shortest text that reads back as `value`, and as a double: it has a `.` or an `e`. Precondition:
/// finite.
void append_number(std::string& out, double value);

}  // namespace sessile::detail
