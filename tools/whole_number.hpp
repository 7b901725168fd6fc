// What the command takes for a number.
#pragma once

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>

namespace sessile::tools {

/// Decimal digits and nothing else. CLI11 alone reads 010 as 8, and nothing at all as "not given", which
/// would turn a condition off.
inline CLI::Validator whole_number() {
  const auto refusal = [](const std::string& text) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
    if (digits && (text.size() == 1 || text.front() != '0')) return std::string();
    return "\"" + text + "\" is not a whole number, as in 17";
  };
  return CLI::Validator(refusal, "");
}

}  // namespace sessile::tools
