#include "json/measure.hpp"

#include "json/meter.hpp"
#include "json/shapes.hpp"

namespace sessile {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;       // of a user, of a project
constexpr std::uint64_t kCommaBytes = 1;          // that parts a message from the one before
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
  // The first message's comma, so that each counts the same, whether it is saved or appended.
  if (!session.messages.empty()) meter.count(kCommaBytes);
  return meter.result(limits.session_bytes, "a session");
}

Result<std::uint64_t> measure(const Message& message, const Limits& limits) {
  detail::Meter meter(limits, kLevelsAboveMessage);
  detail::put_message(meter, message);
  return meter.result();
}

Result<std::uint64_t> detail::measure_all(const std::vector<Message>& messages, const Limits& limits) {
  std::uint64_t sum = 0;
  for (const Message& message : messages) {
    auto bytes = measure(message, limits);
    if (!bytes) return bytes.error();
    sum += *bytes + kCommaBytes;
  }
  if (sum > limits.session_bytes) return Error(Errc::too_large, "the messages exceed the limit of a session");
  return sum;
}

Result<void> detail::check_size(const Session& session, bool foreign, const Limits& limits) {
  auto measured = foreign ? measure_all(session.messages, limits) : measure(session, limits);
  if (!measured && measured.error().code() == Errc::too_large) return measured.error();
  return success();
}

}  // namespace sessile
