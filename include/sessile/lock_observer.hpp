// A hook that sees who held which lock, and how long it was waited for.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

namespace sessile {

/// One lock that was asked for, and either had and freed or given up. The view lives as long as the call.
/// Times are the monotonic clock's, which on Linux is one clock for all processes of the machine.
class LockEvent {
 public:
  LockEvent() noexcept {}
  /// Which lock: the same text in every process, another one for every lock of the store.
  std::string_view lock;
  std::chrono::steady_clock::time_point requested;
  /// Empty: it was not had, because of the deadline, a cancellation or an error.
  std::optional<std::chrono::steady_clock::time_point> acquired;
  /// When it was free again for others; when it was given up, if it was not had.
  std::chrono::steady_clock::time_point released;
};

/// Called once for each lock, after its end, on any thread, several at a time. Must be quick and must not
/// call the store; what it throws is dropped.
using LockObserver = std::function<void(const LockEvent&)>;

}  // namespace sessile
