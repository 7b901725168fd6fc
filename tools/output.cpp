#include "output.hpp"

#include <sessile/json.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sessile::tools {
namespace {

// The code point that `text` starts with, and its length; an ill-formed byte stands for itself.
std::pair<std::uint32_t, std::size_t> decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead >= 0x80 && (lead < 0xC2 || length > text.size() || !is_utf8(text.substr(0, length))))
    return {lead, 1};
  if (length == 1) return {lead, 1};
  std::uint32_t point = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i)
    point = (point << 6) | (byte(i) & 0x3Fu);
  return {point, length};
}

bool is_control(std::uint32_t point) noexcept {
  return point < 0x20 || (point >= 0x7F && point < 0xA0);
}

bool turns_writing(std::uint32_t point) noexcept {
  return point == 0x061C || point == 0x200E || point == 0x200F || (point >= 0x202A && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

void append_escaped(std::string& out, std::uint32_t point, bool ill_formed) {
  char text[16];
  std::snprintf(text, sizeof text, point < 0x80 || ill_formed ? "\\x%02x" : "\\u{%x}", point);
  out += text;
}

int failed_flush = 0;  // the errno of the first flush that failed on the way

void write_error_line(std::string line) {
  line += '\n';
  // So that both streams read in order on a terminal. What cannot be written is dropped: flush_output tells.
  if (std::fflush(stdout) != 0 && failed_flush == 0) failed_flush = errno;
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

OutputFailure::OutputFailure(int cause_)
    : std::runtime_error(std::string("cannot write the output: ") + std::strerror(cause_)), cause(cause_) {}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw OutputFailure(errno);
}

void print_line(std::string_view text) {
  print(text);
  print("\n");
}

void print_json(const json::value& value) {
  std::string text;
  write_json(text, value);
  print_json_line(text);
}

void print_json_line(std::string_view text) {
  print_line(visible_json(text));
}

void flush_output() {
  if (std::fflush(stdout) != 0) throw OutputFailure(errno);
  if (failed_flush != 0) throw OutputFailure(failed_flush);
}

void print_error(const Error& error, bool as_json) {
  if (!as_json) return write_error_line("sessile: " + visible(error.message()));
  std::string text;
  write_json(text, json::object{{"error", to_json(error)}});
  write_error_line(visible_json(text));
}

void print_error(std::string_view code, std::string_view message, bool as_json) {
  if (!as_json) return write_error_line("sessile: " + visible(message));
  std::string text;
  write_json(text, json::object{{"error", json::object{{"code", code}, {"message", visible(message)}}}});
  write_error_line(visible_json(text));
}

void print_note(std::string_view text) {
  write_error_line("sessile: " + visible(text));
}

json::object to_json(const Error& error) {
  json::object object{{"code", name(error.code())}, {"message", visible(error.message())}};
  const auto add = [&](std::string_view key, const std::string& text) {
    if (!text.empty()) object[key] = text_for_json(text);
  };
  add("operation", error.operation());
  add("backend", error.backend());
  add("key", error.key());
  add("detail", error.detail());
  add("path", error.path());
  if (error.offset()) object["offset"] = *error.offset();
  if (error.expected()) object["expected"] = *error.expected();
  if (error.actual()) object["actual"] = *error.actual();
  if (error.cause()) object["cause"] = error.cause().message();
  if (const auto holder = error.holder()) {
    json::object who{{"pid", holder->pid}, {"host", visible(holder->host)}};
    if (!holder->since.empty()) who["since"] = holder->since;
    object["holder"] = std::move(who);
  }
  if (error.waited()) object["waited_ms"] = error.waited()->count();
  object["retryable"] = error.retryable();
  return object;
}

json::object to_json(const Written& written) {
  return json::object{{"revision", written.revision},
                      {"created_at", written.created_at.text()},
                      {"updated_at", written.updated_at.text()},
                      {"replayed", written.replayed}};
}

std::string visible(std::string_view text, Lines lines) {
  std::string out;
  while (!text.empty()) {
    const auto [point, length] = decode(text);
    const bool kept = lines == Lines::many && (point == '\n' || point == '\t');
    const bool ill_formed = length == 1 && point >= 0x80;
    if (!kept && (is_control(point) || turns_writing(point) || ill_formed))
      append_escaped(out, point, ill_formed);
    else
      out.append(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

std::string visible_json(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<std::uint8_t>(text[at]) < 0x7F) {
      ++at;  // nearly all of it, and the writer has escaped the controls among these
      continue;
    }
    const auto [point, length] = decode(text.substr(at));
    if (is_control(point) || turns_writing(point)) {
      out.append(text.substr(copied, at - copied));
      char escape[16];
      std::snprintf(escape, sizeof escape, "\\u%04x", point);
      out += escape;
      copied = at + length;
    }
    at += length;
  }
  out.append(text.substr(copied));
  return out;
}

std::string text_for_json(std::string_view text) {
  return is_utf8(text) ? std::string(text) : visible(text);
}

std::string shortened(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  std::size_t last = 0;
  for (std::size_t shown = 0; end < text.size(); ++shown) {
    if (shown == columns) return std::string(text.substr(0, last)) + "…";
    last = end;
    end += decode(text.substr(end)).second;
  }
  return std::string(text);
}

std::size_t width(std::string_view text) noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += decode(text.substr(at)).second)
    ++count;
  return count;
}

}  // namespace sessile::tools
