#include "storage/lock_url.hpp"

#include <charconv>
#include <limits>

namespace sessile::storage {

namespace {

/// A whole number with its unit: ms, s or m. Empty when it is not one, or too large.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  std::uint64_t factor = 0;
  if (text == "ms") factor = 1;
  if (text == "s") factor = 1000;
  if (text == "m") factor = 60 * 1000;
  constexpr auto kLongest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (factor == 0 || number > kLongest / factor) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(number * factor));
}

std::optional<LockPrimitive> parse_primitive(std::string_view text) {
  if (text == "auto") return LockPrimitive::automatic;
  if (text == "ofd") return LockPrimitive::open_file_description;
  if (text == "interprocess") return LockPrimitive::interprocess;
  if (text == "flock") return LockPrimitive::flock;
  return std::nullopt;
}

/// False when `text` is no strategy.
bool apply_waiting(std::string_view text, LockOptions& options) {
  constexpr std::string_view kPoll = "poll:";
  if (text == "notify") {
    options.waiting(LockWaiting::notify);
  } else if (text == "backoff") {
    options.waiting(LockWaiting::backoff);
  } else if (text.starts_with(kPoll)) {
    const auto interval = parse_duration(text.substr(kPoll.size()));
    if (!interval || interval->count() == 0) return false;
    options.waiting(LockWaiting::poll, *interval);
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<void> apply_lock_parameters(UrlParameters& parameters, LockOptions& options) {
  if (const auto text = parameters.take("lock")) {
    const auto primitive = parse_primitive(*text);
    if (!primitive) {
      return Error(Errc::invalid_argument,
                   "the store's URL has a lock other than auto, ofd, interprocess, flock");
    }
    options.primitive(*primitive);
  }
  if (const auto text = parameters.take("lock_timeout")) {
    const auto timeout = parse_duration(*text);
    if (!timeout) {
      return Error(Errc::invalid_argument,
                   "the store's URL has a lock_timeout that is not a whole number of ms, s or m, as in 5s");
    }
    options.timeout(*timeout);
  }
  if (const auto text = parameters.take("waiting"); text && !apply_waiting(*text, options)) {
    return Error(Errc::invalid_argument,
                 "the store's URL has a waiting other than notify, backoff, or poll: and an interval, as in "
                 "poll:50ms");
  }
  return success();
}

}  // namespace sessile::storage
