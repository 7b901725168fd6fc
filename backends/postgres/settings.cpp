#include "settings.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace sessile::postgres {

namespace {

constexpr std::size_t kMaxIdentifier = 63;  // PostgreSQL cuts longer ones off
constexpr std::size_t kMaxPool = 1000;
constexpr std::chrono::seconds kConnectTimeout{15};

Error bad(std::string_view why) {
  return Error(Errc::invalid_argument, why);
}

class FreeOptions {
 public:
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using ConninfoOptions = std::unique_ptr<PQconninfoOption, FreeOptions>;

std::string_view value_of(const ConninfoOptions& options, std::string_view keyword) noexcept {
  for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option) {
    if (keyword == option->keyword && option->val) return option->val;
  }
  return {};
}

std::size_t elements_of(std::string_view list) noexcept {
  return 1 + static_cast<std::size_t>(std::count(list.begin(), list.end(), ','));
}

/// True when libpq takes `name` in the query of a URI.
bool is_libpq_parameter(std::string_view name) {
  if (name == "ssl") return true;  // JDBC's, which libpq takes for sslmode
  const ConninfoOptions known(PQconndefaults());
  for (const PQconninfoOption* option = known.get(); option && option->keyword; ++option) {
    if (name == option->keyword) return true;
  }
  return false;
}

Result<void> take_number(UrlParameters& parameters, const std::string& name, PostgresOptions& options) {
  const auto text = parameters.take(name);
  if (!text) return success();
  std::size_t number = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (fault != std::errc() || end != text->data() + text->size())
    return bad("the store's URL has a " + name + " that is not a whole number");
  options.pool_size(number);
  return success();
}

/// A parameter, as an error may show it: of a password whose `?` was not escaped it may be a part.
std::string shown(const std::string& name, const StoreUrl& url) {
  const bool part_of_password = url.literal.find('@', url.literal.find('?')) != std::string::npos;
  return part_of_password ? "a parameter (escape special characters of a password as %XX)"
                          : "the parameter " + name;
}

/// A whole number of ms, s or m.
Result<std::optional<std::chrono::milliseconds>> take_time(UrlParameters& parameters,
                                                           const std::string& name) {
  using std::chrono::milliseconds;
  const auto text = parameters.take(name);
  if (!text) return std::optional<milliseconds>();
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text->data() + text->size() - end));
  const std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60000 : 0;
  constexpr std::int64_t kLongest = std::int64_t{1} << 40;
  if (fault != std::errc() || factor == 0 || number < 0 || number > kLongest / factor)
    return bad("the store's URL has a " + name + " that is not a whole number of ms, s or m, as in 5s");
  return std::optional(milliseconds(number * factor));
}

/// The URL's query without the parameters that were taken.
std::string without(std::string_view literal, const StoreUrl& url, UrlParameters left) {
  const auto mark = literal.find('?');
  std::string out(literal.substr(0, mark));
  if (mark == std::string_view::npos) return out;
  std::string_view query = literal.substr(mark + 1);
  char separator = '?';
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    // The name as StoreUrl decoded it: none of ours needs an escape, but someone may have written one.
    auto one = StoreUrl::parse("x:?" + std::string(pair));
    if (!one || one->parameters.empty()) continue;
    const std::string& name = one->parameters.begin()->first;
    if (url.parameters.contains(name) && !left.take(name)) continue;
    out += separator;
    out += pair;
    separator = '&';
  }
  return out;
}

}  // namespace

Result<std::string> quoted_schema(std::string_view name) {
  if (name.empty() || name.size() > kMaxIdentifier) return bad("a schema's name has 1 to 63 bytes");
  if (!is_utf8(name)) return bad("the schema's name is not UTF-8");
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  if (control) return bad("the schema's name holds a control character");
  if (name.starts_with("pg_") || name == "information_schema")
    return bad("the schema's name is one of PostgreSQL's own");
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

Result<Target> check_connection(std::string connection) {
  if (connection.find('\0') != std::string::npos) return bad("the connection string holds a NUL");
  char* message = nullptr;
  const ConninfoOptions parsed(PQconninfoParse(connection.c_str(), &message));
  // libpq's message quotes the string, perhaps a password that was not escaped: it is dropped.
  PQfreemem(message);
  const bool name_only =
      connection.find('=') == std::string::npos && connection.find("://") == std::string::npos;
  if (!parsed && !name_only) {
    return bad(
        "libpq refuses the connection string; in a URI, escape special characters of a password as %XX");
  }
  const ConninfoOptions defaults(PQconndefaults());
  const auto setting = [&](std::string_view keyword) {
    const std::string_view given = value_of(parsed, keyword);
    return std::string(given.empty() ? value_of(defaults, keyword) : given);
  };
  Target target;
  target.host = setting("host");
  target.hostaddr = setting("hostaddr");
  target.port = setting("port");
  // Of a service's own hosts nothing is known here, and what is given goes before them.
  const bool has_service = !value_of(parsed, "service").empty();
  if (!has_service) target.hosts = std::max(elements_of(target.host), elements_of(target.hostaddr));
  std::chrono::seconds timeout = kConnectTimeout;
  int asked = 0;
  const std::string text = setting("connect_timeout");
  std::from_chars(text.data(), text.data() + text.size(), asked);
  if (asked > 0) timeout = std::chrono::seconds(std::max(asked, 2));  // as libpq does
  target.per_host = timeout;
  target.connection = std::move(connection);
  return target;
}

std::string Target::list_from(const std::string& list, std::size_t first) const {
  // One port may stand for all hosts.
  if (elements_of(list) != hosts) return list;
  std::size_t at = 0;
  for (std::size_t skipped = 0; skipped < first % hosts; ++skipped)
    at = list.find(',', at) + 1;
  return at == 0 ? list : list.substr(at) + ',' + list.substr(0, at - 1);
}

Result<std::string> split_url(const StoreUrl& url, PostgresOptions& options, OpenOptions& open) {
  UrlParameters parameters(url);
  if (auto common = parameters.apply_common(open); !common) return common.error();
  if (auto schema = parameters.take("schema")) options.schema(std::move(*schema));
  if (auto size = take_number(parameters, "pool_size", options); !size) return size.error();
  auto lock = take_time(parameters, "lock_timeout");
  if (!lock) return lock.error();
  if (*lock) options.lock_timeout(**lock);
  auto retry = take_time(parameters, "retry_timeout");
  if (!retry) return retry.error();
  if (*retry) options.retry_timeout(**retry);
  const UrlParameters libpqs = parameters;
  for (const auto& [name, value] : url.parameters) {
    if (parameters.take(name) && !is_libpq_parameter(name))
      return bad("the store's URL has " + shown(name, url) + ", which neither Sessile nor libpq knows");
  }
  return without(url.literal, url, libpqs);
}

Result<void> check_options(const PostgresOptions& options) {
  if (auto schema = quoted_schema(options.schema()); !schema) return schema.error();
  if (options.pool_size() < 1 || options.pool_size() > kMaxPool)
    return bad("a pool has 1 to 1,000 connections");
  if (options.lock_timeout().count() < 0) return bad("the lock's timeout is negative");
  if (options.retry_timeout().count() < 0) return bad("the retry timeout is negative");
  return success();
}

}  // namespace sessile::postgres
