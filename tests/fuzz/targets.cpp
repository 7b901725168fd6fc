#include "fuzz/targets.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <unistd.h>

namespace sessile::fuzz {
namespace {

const Target kTargets[] = {
    {"session_json", session_json},
    {"json_text", json_text},
    {"file_names", file_names},
    {"log_bytes", log_bytes},
    {"log_damage", log_damage},
    {"log_records", log_records},
    {"transcripts", transcripts},
    {"edits", edits},
    {"operations", operations},
    {"stored_sessions", stored_sessions},
    {"stored_documents", stored_documents},
    {"session_lines", session_lines},
    {"memory_records", memory_records},
    {"store_urls", store_urls},
};

class Folder {
 public:
  Folder() {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    path_ = memory ? "/dev/shm/sessile-fuzz-XXXXXX" : "/tmp/sessile-fuzz-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make " + path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

const Target* target_named(std::string_view name) {
  for (const Target& target : kTargets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

void require(bool kept, std::string_view promise) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

unsigned Input::byte() {
  if (rest_.empty()) return 0;
  const auto value = static_cast<unsigned char>(rest_.front());
  rest_.remove_prefix(1);
  return value;
}

std::string_view Input::line() {
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  const std::string_view text = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return text;
}

std::string_view Input::take(std::size_t count) {
  const std::string_view text = rest_.substr(0, count);
  rest_.remove_prefix(text.size());
  return text;
}

const std::string& scratch_folder() {
  static const Folder folder;
  return folder.path();
}

}  // namespace sessile::fuzz
