#include "bench/config.hpp"

#include <sessile/open.hpp>

#include <boost/json/value_to.hpp>

#include <array>

namespace sessile::bench {

namespace {
// 10 MiB of shared memory, as far as it is used.
constexpr std::uint64_t kHolds = std::uint64_t{1} << 18U;
}  // namespace

void RunConfig::fill_in_defaults() noexcept {
  if (workload == "same" || workload == "contention") holds = kHolds;
  // A place for each process.
  if (workload == "takeover") holds = processes;
  if (bytes == 0) bytes = workload == "append" ? 512 : 16384;
  if (sessions == 0) {
    if (workload == "same" || workload == "contention" || workload == "takeover") {
      sessions = 1;
    } else if (workload == "load") {
      sessions = 256;
    } else if (workload == "list_for_agent") {
      sessions = 10000;
    } else {
      sessions = all_writers() * 16;
    }
  }
}

json::object RunConfig::to_json() const {
  json::object object;
  each_member(*this, [&](std::string_view name, const auto& member) { object[name] = member; });
  return object;
}

RunConfig RunConfig::from_json(const json::object& object) {
  RunConfig config;
  each_member(config, [&](std::string_view name, auto& member) {
    member = json::value_to<std::remove_cvref_t<decltype(member)>>(object.at(name));
  });
  return config;
}

namespace {

bool looks_secret(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 6> kWords = {"password", "passwd", "secret", "token", "key", "user"};
  for (const auto word : kWords) {
    if (name.find(word) != std::string_view::npos) return true;
  }
  return false;
}

std::string without_secret_values(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const auto name = pair.substr(0, pair.find('='));
    if (!out.empty()) out += '&';
    out += looks_secret(name) ? std::string(name) + "=***" : std::string(pair);
  }
  return out;
}

}  // namespace

std::string without_credentials(std::string_view url) {
  const auto mark = url.find('?');
  std::string place(url.substr(0, mark));
  if (const auto slashes = place.find("://"); slashes != std::string::npos) {
    const auto begin = slashes + 3;
    // The last @ before the path: a password may hold one.
    const auto at = place.rfind('@', place.find('/', begin));
    if (at != std::string::npos && at >= begin) place.erase(begin, at + 1 - begin);
  }
  if (mark == std::string_view::npos) return place;
  return place + '?' + without_secret_values(url.substr(mark + 1));
}

std::string with_parameter(std::string_view url, std::string_view name, std::string_view value) {
  std::string out(url);
  out += url.find('?') == std::string_view::npos ? '?' : '&';
  out.append(name).append("=").append(value);
  return out;
}

bool is_directory_url(std::string_view url) noexcept {
  return url.starts_with("file:") || url.starts_with("jsondir:");
}

Result<std::string> directory_of(std::string_view url) {
  auto parsed = StoreUrl::parse(url);
  if (!parsed) return parsed.error();
  if (parsed->rest.empty()) return Error(Errc::invalid_argument, "the store's URL names no directory");
  return parsed->rest;
}

std::string in_subdirectory(std::string_view url, std::string_view name) {
  const auto mark = url.find('?');
  std::string place(url.substr(0, mark));
  if (!place.ends_with('/')) place += '/';
  place += name;
  if (mark != std::string_view::npos) place += url.substr(mark);
  return place;
}

}  // namespace sessile::bench
