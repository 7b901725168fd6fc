#include <sessile/ids.hpp>

#include "json/utf8.hpp"

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

namespace sessile {
namespace {

Result<void> check_text(const std::string& text, std::string_view what) {
  const auto refuse = [&](std::string_view why) {
    return Error(Errc::invalid_argument, std::string(what).append(why));
  };
  if (text.size() > kMaxIdBytes) {
    return refuse(" is " + std::to_string(text.size()) + " bytes long; at most " +
                  std::to_string(kMaxIdBytes) + " are allowed");
  }
  if (text.find('\0') != std::string::npos) return refuse(" holds a NUL");
  if (!is_utf8(text)) return refuse(" is not UTF-8");
  return success();
}

}  // namespace

SessionId SessionId::random() {
  return SessionId(boost::uuids::to_string(boost::uuids::random_generator()()));
}

Result<void> check(const SessionId& id) {
  if (id.empty()) return Error(Errc::invalid_argument, "the session's id is empty");
  return check_text(id.str(), "the session's id");
}

Result<void> check(const AgentId& id) {
  return check_text(id.str(), "the agent's id");
}

bool is_utf8(std::string_view text) noexcept {
  return detail::valid_utf8_prefix(text) == text.size();
}

}  // namespace sessile
