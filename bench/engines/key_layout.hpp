// How the key-value rivals name what they store: sessions, appended messages, and an agent's sessions.
#pragma once

#include <sessile/ids.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sessile::bench {

/// A NUL ends each part: ids hold none, so no key is a prefix of another id's.
inline std::string session_key(std::string_view id) {
  return "s" + std::string(id);
}

inline std::string messages_prefix(std::string_view id) {
  std::string key = "m" + std::string(id);
  key += '\0';
  return key;
}

inline std::string agent_prefix(const AgentId& agent) {
  std::string key = "a" + agent.str();
  key += '\0';
  return key;
}

/// A key after all the session's messages so far, of this process and of those before it.
inline std::string next_message_key(std::string_view id) {
  static std::atomic<std::uint64_t> next{
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count())};
  const std::uint64_t number = next.fetch_add(1);
  std::string key = messages_prefix(id);
  for (int shift = 56; shift >= 0; shift -= 8)
    key += static_cast<char>((number >> shift) & 0xffU);
  return key;
}

}  // namespace sessile::bench
