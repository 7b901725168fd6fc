#include "json/number.hpp"

#include <array>
#include <charconv>

namespace sessile::detail {
namespace {

constexpr std::size_t kLongestInteger = 310;  // digits of the largest double, and a sign

/// True when the integer `text` is exactly `value`: whether its digits are those of the double written out.
bool is_exactly(std::string_view text, double value) noexcept {
  std::array<char, kLongestInteger> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 0);
  return end.ec == std::errc() &&
         std::string_view(digits.data(), static_cast<std::size_t>(end.ptr - digits.data())) == text;
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end.ptr);
}

}  // namespace

std::optional<double> exact_double(std::string_view text) {
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  if (text.find_first_of(".eE") == std::string_view::npos && !is_exactly(text, value)) return std::nullopt;
  return value;
}

void append_number(std::string& out, std::int64_t value) {
  append_integer(out, value);
}

void append_number(std::string& out, std::uint64_t value) {
  append_integer(out, value);
}

void append_number(std::string& out, double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  const std::string_view written(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
  out.append(written);
  if (written.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

}  // namespace sessile::detail
