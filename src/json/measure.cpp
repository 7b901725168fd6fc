#include "json/meter.hpp"
#include "json/shapes.hpp"

namespace sessile {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;       // of a user, of a project
constexpr std::uint32_t kLevelsAboveMessage = 2;  // the session and its messages

Result<void> check_length(std::string_view field, const std::string& text) {
  if (text.size() <= kMaxNameBytes) return success();
  return Error(Errc::invalid_argument, "/" + std::string(field) + ": " + std::to_string(text.size()) +
                                           " bytes; at most " + std::to_string(kMaxNameBytes) +
                                           " are allowed");
}

}  // namespace

Result<std::uint64_t> measure(const Session& session, const Limits& limits) {
  if (const Result<void> ok = check_length("user_id", session.user_id); !ok) return ok.error();
  if (const Result<void> ok = check_length("project_id", session.project_id); !ok) return ok.error();
  detail::Meter meter(limits, 0);
  meter.open('{');
  detail::put_session_fields(meter, session);
  meter.close('}');
  return meter.result(limits.session_bytes, "a session");
}

Result<std::uint64_t> measure(const Message& message, const Limits& limits) {
  detail::Meter meter(limits, kLevelsAboveMessage);
  detail::put_message(meter, message);
  return meter.result();
}

}  // namespace sessile
