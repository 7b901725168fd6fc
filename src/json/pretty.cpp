#include "json/pretty.hpp"

#include <sessile/json.hpp>

namespace sessile::detail {
namespace {

void line(std::string& out, std::size_t level) {
  out += '\n';
  out.append(2 * level, ' ');
}

void write(std::string& out, const json::value& value, std::size_t level);

void write_array(std::string& out, const json::array& array, std::size_t level) {
  char separator = '[';
  for (const json::value& element : array) {
    out += separator;
    separator = ',';
    line(out, level + 1);
    write(out, element, level + 1);
  }
  line(out, level);
  out += ']';
}

void write_object(std::string& out, const json::object& object, std::size_t level) {
  char separator = '{';
  for (const auto& field : object) {
    out += separator;
    separator = ',';
    line(out, level + 1);
    write_json_string(out, {field.key().data(), field.key().size()});
    out.append(": ");
    write(out, field.value(), level + 1);
  }
  line(out, level);
  out += '}';
}

void write(std::string& out, const json::value& value, std::size_t level) {
  if (value.is_array() && !value.get_array().empty()) {
    write_array(out, value.get_array(), level);
  } else if (value.is_object() && !value.get_object().empty()) {
    write_object(out, value.get_object(), level);
  } else {
    write_json(out, value);
  }
}

}  // namespace

void write_pretty_json(std::string& out, const json::value& value) {
  write(out, value, 0);
}

}  // namespace sessile::detail
