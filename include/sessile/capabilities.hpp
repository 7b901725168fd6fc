// What a backend can do: constant for the life of a store.
#pragma once

#include <sessile/options.hpp>

#include <cstdint>
#include <string>

namespace sessile {

/// Bounds on what is accepted and read. Crossing one is too_large, and nothing is written.
class Limits {
 public:
  Limits() noexcept {}
  std::uint64_t message_bytes = std::uint64_t{16} << 20;   ///< one message, as compact JSON
  std::uint64_t session_bytes = std::uint64_t{256} << 20;  ///< one session, as compact JSON
  /// Nesting of arrays and objects; the session itself is the first level. More than 1,000 counts as 1,000.
  std::uint32_t depth = 128;

  friend bool operator==(const Limits&, const Limits&) = default;
};

/// Who sees the same sessions.
enum class Reach {
  process,  ///< this store object's users
  machine,  ///< every process of the machine that opens the same place
  network,  ///< every machine that opens the same place
};

class Capabilities {
 public:
  Capabilities() noexcept {}
  std::string backend;  ///< its name, as in errors
  Durability max_durability = Durability::none;
  Durability default_durability = Durability::none;
  bool idempotent_append = false;  ///< AppendOptions::idempotency_key is honoured
  Reach reach = Reach::process;
  Limits limits;
  /// The backend's coroutines never suspend: its operations run in the caller's coroutine, without a spawn.
  /// False for a backend that inherits do_update or do_append: these wait between two attempts.
  bool never_suspends = false;
};

}  // namespace sessile
