// A TCP proxy that breaks connections at a byte that the test chooses.
#pragma once

#include <cstdint>
#include <memory>

namespace sessile::testing {

enum class Direction { to_server, to_client };

/// Listens on a free port of 127.0.0.1 and passes every connection on to another port of it, on a thread of
/// its own. Thread-safe.
class CuttingProxy {
 public:
  explicit CuttingProxy(std::uint16_t server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::uint16_t port() const noexcept;

  /// Begins to count anew. When `bytes` more bytes have been passed on in that direction, and not one more,
  /// the connection that carried the last is closed at both ends, once; later ones pass.
  void cut_after(Direction direction, std::uint64_t bytes);
  /// Begins to count anew; nothing is cut.
  void count();
  /// Bytes passed on since the count began.
  std::uint64_t passed(Direction direction) const;
  /// Whether the cut of the last cut_after was made.
  bool was_cut() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace sessile::testing
