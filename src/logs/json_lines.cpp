#include "logs/json_lines.hpp"

#include <sessile/json.hpp>

namespace sessile::detail {

std::size_t object_size(std::string_view text) noexcept {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char byte = text[i];
    if (in_string) {
      if (byte == '\\') {
        ++i;
      } else if (byte == '"') {
        in_string = false;
      }
    } else if (byte == '"') {
      in_string = true;
    } else if (byte == '{') {
      ++depth;
    } else if (byte == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

namespace {

constexpr std::string_view kBlank = " \t\r";

/// Reads one line of a text.
class LineReader {
 public:
  LineReader(const Limits& limits, const VisitJson& visit, const VisitSkipped& skip)
      : limits_(limits), visit_(visit), skip_(skip) {}

  void read(std::string_view line, std::uint64_t number, std::uint64_t offset) {
    place_.line = number;
    place_.offset = offset;
    trim(line);
    if (line.empty()) return;
    const Outcome whole = try_value(line);
    if (whole == Outcome::done) return;
    if (whole == Outcome::too_large && line.front() != '{') return skip(line, SkipReason::too_large);
    // Not one value: perhaps several without a newline between, as two writers at once leave them.
    while (!line.empty()) {
      const std::size_t size = line.front() == '{' ? object_size(line) : 0;
      if (size == 0) return skip(line, SkipReason::unreadable);
      const std::string_view object = line.substr(0, size);
      const Outcome outcome = try_value(object);
      if (outcome == Outcome::not_json) skip(object, SkipReason::unreadable);
      if (outcome == Outcome::too_large) skip(object, SkipReason::too_large);
      line.remove_prefix(size);
      place_.offset += size;
      trim(line);
    }
  }

 private:
  enum class Outcome { done, not_json, too_large };

  void trim(std::string_view& line) {
    const std::size_t begin = std::min(line.find_first_not_of(kBlank), line.size());
    line.remove_prefix(begin);
    place_.offset += begin;
    line = line.substr(0, line.find_last_not_of(kBlank) + 1);
  }

  Outcome try_value(std::string_view text) {
    if (text.size() > limits_.message_bytes) return Outcome::too_large;
    auto value = parse_json(text, Origin::stored, limits_);
    if (value) {
      place_.bytes = text.size();
      visit_(std::move(*value), place_);
      return Outcome::done;
    }
    return value.error().code() == Errc::too_large ? Outcome::too_large : Outcome::not_json;
  }

  void skip(std::string_view text, SkipReason reason) {
    place_.bytes = text.size();
    place_.reason = reason;
    skip_(place_);
  }

  const Limits& limits_;
  const VisitJson& visit_;
  const VisitSkipped& skip_;
  SkippedPart place_;
};

}  // namespace

void read_json_lines(std::string_view text, const Limits& limits, const VisitJson& visit,
                     const VisitSkipped& skip) {
  LineReader reader(limits, visit, skip);
  std::uint64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    reader.read(text.substr(begin, end - begin), ++number, begin);
    begin = end + 1;
  }
}

}  // namespace sessile::detail
