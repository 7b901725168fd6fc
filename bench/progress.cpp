#include "bench/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sessile::bench {

namespace {
constexpr std::size_t kBarWidth = 24;
constexpr std::size_t kLabelWidth = 48;
}  // namespace

Progress::Progress(std::size_t runs)
    : shown_(::isatty(STDERR_FILENO) == 1), runs_(std::max<std::size_t>(1, runs)) {}

Progress::~Progress() {
  clear();
}

void Progress::begin_run(std::string label) {
  label_ = std::move(label);
  update(0);
}

void Progress::update(double share) {
  if (!shown_) return;
  const double all = (static_cast<double>(done_) + std::clamp(share, 0.0, 1.0)) / static_cast<double>(runs_);
  const auto filled = static_cast<std::size_t>(std::min(1.0, all) * static_cast<double>(kBarWidth));
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  const std::string label = label_.substr(0, kLabelWidth);
  std::fprintf(stderr, "\r\033[K[%s] %3.0f %%  %zu/%zu  %s", bar.c_str(), all * 100,
               std::min(done_ + 1, runs_), runs_, label.c_str());
  std::fflush(stderr);
}

void Progress::end_run() {
  ++done_;
  update(0);
}

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace sessile::bench
