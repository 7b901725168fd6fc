// A line on the terminal that tells how far a long benchmark is; silent in a pipe.
#pragma once

#include <cstddef>
#include <string>

namespace sessile::bench {

class Progress {
 public:
  /// Shows itself on stderr when that is a terminal. `runs`: how many there will be.
  explicit Progress(std::size_t runs);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void begin_run(std::string label);
  /// `share` of the running run, 0 to 1.
  void update(double share);
  void end_run();
  /// Takes the line off the terminal, so that other text can be written.
  void clear();

 private:
  bool shown_;
  std::size_t runs_;
  std::size_t done_ = 0;
  std::string label_;
};

}  // namespace sessile::bench
