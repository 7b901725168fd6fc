// A hook that sees each operation, for logs and metrics.
#pragma once

#include <sessile/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sessile {

/// One finished operation. The views live as long as the call.
class OperationEvent {
 public:
  OperationEvent() noexcept {}
  std::string_view operation;  ///< "save", "load", "list" …
  std::string_view backend;
  std::string_view key;  ///< the session's or agent's id; empty for list, flush, verify, close
  std::chrono::nanoseconds duration{0};
  std::uint64_t bytes = 0;         ///< of the sessions or messages written or read, 0 where unknown
  const Error* failure = nullptr;  ///< null when it succeeded
};

/// Called once for each operation, on the executor the operation finished on, several at a time. Must not
/// call the store; what it throws is dropped.
using Observer = std::function<void(const OperationEvent&)>;

}  // namespace sessile
