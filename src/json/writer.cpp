#include "json/writer.hpp"

#include "json/escape.hpp"

namespace sessile {
namespace {

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
  for (std::size_t begin = 0;;) {
    const std::size_t end = detail::next_escape(text, begin);
    out.append(text, begin, end - begin);
    if (end == text.size()) break;
    append_escape(out, static_cast<unsigned char>(text[end]));
    begin = end + 1;
  }
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
