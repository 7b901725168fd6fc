#include "last_messages.hpp"

#include "json/escape.hpp"
#include "records.hpp"

#include <string_view>
#include <vector>

namespace sessile::json_directory {

namespace {

/// Walks over compact JSON that is known to be JSON. False: there is something else than was looked for.
class Walk {
 public:
  explicit Walk(std::string_view text) noexcept : text_(text) {}

  std::size_t at() const noexcept { return at_; }
  bool sees(char wanted) const noexcept { return at_ < text_.size() && text_[at_] == wanted; }
  bool take(char wanted) noexcept { return sees(wanted) && ++at_ != 0; }

  /// A string, and what is in it, escapes and all.
  bool take_string(std::string_view& content) noexcept {
    const std::size_t begin = at_ + 1;
    if (!skip_string()) return false;
    content = text_.substr(begin, at_ - begin - 1);
    return true;
  }

  bool skip_value() noexcept {
    for (std::size_t depth = 0; at_ < text_.size();) {
      const char next = text_[at_];
      if (next == '"') {
        if (!skip_string()) return false;
      } else if (next == '[' || next == '{') {
        ++depth;
        ++at_;
        continue;
      } else if (next == ']' || next == '}') {
        if (depth == 0) return false;
        --depth;
        ++at_;
      } else if (next == ',' || next == ':') {
        if (depth == 0) return false;
        ++at_;
        continue;
      } else {
        skip_literal();
      }
      if (depth == 0) return true;
    }
    return false;
  }

  /// Goes to the value of a member, behind the brace that opens its object. False also where there is none;
  /// then `ended` says whether the object was seen to its end.
  bool find_member(std::string_view name, bool& ended) noexcept {
    ended = take('}');
    while (!ended) {
      std::string_view found;
      if (!take_string(found) || !take(':')) return false;
      if (found == name) return true;
      if (!skip_value()) return false;
      ended = take('}');
      if (!ended && !take(',')) return false;
    }
    return false;
  }

 private:
  bool skip_string() noexcept {
    if (!take('"')) return false;
    for (;;) {
      at_ = detail::next_escape(text_, at_);
      if (at_ >= text_.size()) return false;
      if (text_[at_] == '"') return ++at_ != 0;
      if (text_[at_] != '\\') return false;
      at_ += 2;
      if (at_ > text_.size()) return false;
    }
  }

  /// A number, true, false or null.
  void skip_literal() noexcept {
    constexpr std::string_view kEnds = ",:]}[{\"";
    do
      ++at_;
    while (at_ < text_.size() && kEnds.find(text_[at_]) == std::string_view::npos);
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

/// Where the array of messages begins and ends, and each of them begins.
class Places {
 public:
  std::size_t first = 0;  // behind the opening bracket
  std::size_t end = 0;    // at the closing one
  std::vector<std::size_t> messages;
};

bool read_places(Walk& walk, Places& places) {
  if (!walk.take('[')) return false;
  places.first = walk.at();
  while (!walk.sees(']')) {
    if (!places.messages.empty() && !walk.take(',')) return false;
    places.messages.push_back(walk.at());
    if (!walk.sees('{') || !walk.skip_value()) return false;
  }
  places.end = walk.at();
  return true;
}

/// A snapshot has its messages in its session, other records have them themselves, or none. Empty: neither.
std::optional<Places> find_messages(const storage::LogRecord& record) {
  const bool in_session = is_snapshot(record.members);
  Walk walk(record.line);
  bool ended = false;
  if (!walk.take('{')) return std::nullopt;
  if (in_session && !(walk.find_member("session", ended) && walk.take('{'))) return std::nullopt;
  Places places;
  if (!walk.find_member("messages", ended)) {
    return ended && !in_session ? std::optional(places) : std::nullopt;
  }
  return read_places(walk, places) ? std::optional(std::move(places)) : std::nullopt;
}

}  // namespace

std::optional<Shortened> without_early_messages(const storage::LogRecord& record, std::uint64_t most) {
  const auto places = find_messages(record);
  if (!places) return std::nullopt;
  const std::size_t count = places->messages.size();
  Shortened shortened;
  shortened.kept = most < count ? most : count;
  shortened.omitted = count - shortened.kept;
  if (shortened.omitted == 0) return shortened;
  const std::size_t from = shortened.kept == 0 ? places->end : places->messages[shortened.omitted];
  const std::string_view line = record.line;
  shortened.text.reserve(places->first + (line.size() - from));
  shortened.text.append(line.substr(0, places->first)).append(line.substr(from));
  return shortened;
}

}  // namespace sessile::json_directory
