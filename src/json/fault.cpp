#include "json/fault.hpp"

#include "json/parser.hpp"
#include "json/utf8.hpp"

namespace sessile::detail {
namespace {

constexpr std::size_t kShownKeyCharacters = 60;

}  // namespace

void append_key(std::string& pointer, std::string_view key) {
  pointer += '/';
  const std::size_t shown = code_points_prefix(key, kShownKeyCharacters);
  for (const char c : key.substr(0, shown)) {
    if (c == '~') {
      pointer.append("~0");
    } else if (c == '/') {
      pointer.append("~1");
    } else {
      pointer += c;
    }
  }
  if (shown < key.size()) pointer.append("…");
}

void append_index(std::string& pointer, std::size_t index) {
  pointer.append("/").append(std::to_string(index));
}

Fault fault_in(std::string_view field, std::string_view problem) {
  Fault fault{std::string(), std::string(problem)};
  append_key(fault.place, field);
  return fault;
}

Fault within(std::string_view field, std::size_t index, Fault fault) {
  std::string place;
  append_key(place, field);
  append_index(place, index);
  fault.place.insert(0, place);
  return fault;
}

Error to_error(const Fault& fault, Origin origin) {
  return Error(fault_code(origin), (fault.place.empty() ? "the root" : fault.place) + ": " + fault.problem);
}

}  // namespace sessile::detail
