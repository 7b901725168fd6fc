// A progress bar for people: on a terminal, and nowhere else.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sessile::tools {

/// Draws on stderr when that is a terminal; does nothing otherwise. The bar is wiped on destruction.
class Progress {
 public:
  /// `total` 0: not known, only counted.
  Progress(std::string_view label, std::uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void step();
  /// Wipes the bar so that a line can be printed; the next step draws it again.
  void clear();

 private:
  void draw();

  const bool shown_;
  const std::string label_;
  const std::uint64_t total_;
  std::uint64_t done_ = 0;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_draw_;
};

}  // namespace sessile::tools
