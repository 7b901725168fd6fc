#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sessile::tools {
namespace {
constexpr std::uint64_t kBarWidth = 30;
constexpr std::chrono::milliseconds kInterval(100);
}  // namespace

Progress::Progress(std::string_view label, std::uint64_t total)
    : shown_(::isatty(STDERR_FILENO) == 1), label_(label), total_(total) {}

Progress::~Progress() {
  clear();
}

void Progress::step() {
  ++done_;
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || (now < next_draw_ && done_ != total_)) return;
  next_draw_ = now + kInterval;
  draw();
}

void Progress::draw() {
  std::string line = "\r\x1b[K" + label_ + ' ';
  if (total_ > 0) {
    const std::uint64_t filled = std::min(done_, total_) * kBarWidth / total_;
    line += '[' + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
  }
  line += std::to_string(done_);
  if (total_ > 0) line += '/' + std::to_string(total_);
  std::fwrite(line.data(), 1, line.size(), stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace sessile::tools
