#include "json/writer.hpp"

#include <array>

namespace sessile {
namespace {

constexpr std::array<bool, 256> make_needs_escape() {
  std::array<bool, 256> table{};
  for (std::size_t i = 0; i < 0x20; ++i)
    table[i] = true;
  table['"'] = true;
  table['\\'] = true;
  return table;
}
constexpr std::array<bool, 256> kNeedsEscape = make_needs_escape();

void append_escape(std::string& out, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '\\';
  switch (byte) {
    case '"':
      out += '"';
      return;
    case '\\':
      out += '\\';
      return;
    case '\b':
      out += 'b';
      return;
    case '\f':
      out += 'f';
      return;
    case '\n':
      out += 'n';
      return;
    case '\r':
      out += 'r';
      return;
    case '\t':
      out += 't';
      return;
    default:
      out.append("u00");
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
  }
}

void write_array(std::string& out, const json::array& array) {
  out += '[';
  bool first = true;
  for (const json::value& element : array) {
    if (!first) out += ',';
    first = false;
    write_json(out, element);
  }
  out += ']';
}

}  // namespace

namespace detail {

void write_object(std::string& out, const json::object& object) {
  out += '{';
  bool first = true;
  for (const auto& field : object) {
    if (!first) out += ',';
    first = false;
    write_json_string(out, view(field.key()));
    out += ':';
    write_json(out, field.value());
  }
  out += '}';
}

}  // namespace detail

void write_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (!kNeedsEscape[byte]) continue;
    out.append(text, written, i - written);
    append_escape(out, byte);
    written = i + 1;
  }
  out.append(text, written);
  out += '"';
}

void write_json(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      out.append("null");
      return;
    case json::kind::bool_:
      out.append(value.get_bool() ? "true" : "false");
      return;
    case json::kind::int64:
      detail::append_number(out, value.get_int64());
      return;
    case json::kind::uint64:
      detail::append_number(out, value.get_uint64());
      return;
    case json::kind::double_:
      detail::append_number(out, value.get_double());
      return;
    case json::kind::string:
      write_json_string(out, {value.get_string().data(), value.get_string().size()});
      return;
    case json::kind::array:
      write_array(out, value.get_array());
      return;
    case json::kind::object:
      detail::write_object(out, value.get_object());
      return;
  }
}

}  // namespace sessile
