// What a session counts against the limit, computed from its text.
#pragma once

#include <sessile/json.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace sessile::testing {

/// The times and the revision at their widest, and a comma for each message.
inline std::uint64_t counted_size(const Session& session) {
  constexpr std::size_t kStamp = sizeof "\"2026-01-02T03:04:05.678901Z\"" - 1;
  std::uint64_t size = encode_session(session).size();
  for (const Timestamp* time : {&session.created_at, &session.updated_at}) {
    const std::size_t written = !time->original().empty() ? time->original().size()
                                : time->is_set()          ? kStamp
                                                          : sizeof "null" - 1;
    size += std::max(kStamp, written) - written;
  }
  if (const json::value* const active = session.extra.if_contains("last_active_at")) {
    const std::size_t written =
        json::serialize(json::parse(encode_session(session)).at("last_active_at")).size();
    if (!active->is_object()) size += std::max(kStamp, written) - written;
  }
  size += 20 - std::to_string(session.revision).size();
  return size + (session.messages.empty() ? 0 : 1);
}

}  // namespace sessile::testing
