#include <sessile/open.hpp>

#include <charconv>

namespace sessile {

namespace {

Error bad_url(std::string_view why) {
  return Error(Errc::invalid_argument, "the store's URL " + std::string(why));
}

std::optional<int> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

bool is_scheme(std::string_view text) noexcept {
  if (text.empty() || text[0] < 'a' || text[0] > 'z') return false;
  for (const char c : text) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '-';
    if (!fine) return false;
  }
  return true;
}

template <class Number>
Result<void> read_limit(UrlParameters& parameters, const std::string& name, Number& target) {
  const auto text = parameters.take(name);
  if (!text) return success();
  Number number{};
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (fault != std::errc() || end != text->data() + text->size() || number == 0) {
    return bad_url("has a " + name + " that is not a positive whole number");
  }
  target = number;
  return success();
}

}  // namespace

Result<StoreUrl> StoreUrl::parse(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) {
    return bad_url("must begin with a scheme, as in memory:, file:DIR, jsondir:DIR");
  }
  StoreUrl url;
  url.literal = text;
  url.scheme = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  std::string_view query;
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  auto decoded = percent_decode(rest);
  if (!decoded || decoded->find('\0') != std::string::npos) return bad_url("has a broken %XX escape");
  url.rest = std::move(*decoded);
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return bad_url("has a parameter that is not name=value");
    auto name = percent_decode(pair.substr(0, equals));
    auto value = percent_decode(pair.substr(equals + 1));
    if (!name || !value) return bad_url("has a broken %XX escape");
    if (!url.parameters.emplace(*name, std::move(*value)).second) {
      // It is not named: it may be a part of a password whose `?` was not escaped.
      return bad_url("gives a parameter twice");
    }
  }
  return url;
}

std::optional<std::string> UrlParameters::take(const std::string& name) {
  const auto found = left_.find(name);
  if (found == left_.end()) return std::nullopt;
  std::string value = std::move(found->second);
  left_.erase(found);
  return value;
}

Result<void> UrlParameters::apply_common(OpenOptions& options) {
  if (const auto text = take("durability")) {
    if (*text == "none") {
      options.durability(Durability::none);
    } else if (*text == "process") {
      options.durability(Durability::process);
    } else if (*text == "power") {
      options.durability(Durability::power);
    } else {
      return bad_url("has a durability other than none, process, power");
    }
  }
  if (const auto text = take("mode")) {
    if (*text != "ro" && *text != "rw") return bad_url("has a mode other than ro, rw");
    options.access(*text == "ro" ? Access::read_only : Access::read_write);
  }
  if (const auto text = take("create")) {
    if (*text != "true" && *text != "false") return bad_url("has a create other than true, false");
    options.missing_place(*text == "true" ? MissingPlace::create : MissingPlace::refuse);
  }
  Limits limits = options.limits();
  if (auto read = read_limit(*this, "max_message", limits.message_bytes); !read) return read;
  if (auto read = read_limit(*this, "max_session", limits.session_bytes); !read) return read;
  if (auto read = read_limit(*this, "max_depth", limits.depth); !read) return read;
  options.limits(limits);
  return success();
}

Result<void> UrlParameters::finish() const {
  if (left_.empty()) return success();
  return bad_url("has the parameter " + left_.begin()->first + ", which this backend does not know");
}

}  // namespace sessile
