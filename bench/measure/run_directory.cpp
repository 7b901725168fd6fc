#include "bench/measure/run_directory.hpp"

#include "bench/engines/engine.hpp"

#include <sessile/ids.hpp>

namespace sessile::bench {

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (path_.empty()) return;
  std::filesystem::remove_all(path_, ignored);
  for (auto& made : made_) {
    if (!std::filesystem::remove(made, ignored)) break;
  }
}

Result<void> RunDirectory::give(RunConfig& config) {
  config.nonce = SessionId::random().str().substr(0, 13);
  if (!is_directory_url(config.store)) return success();
  config.store = in_subdirectory(config.store, "sessile-bench-" + config.nonce);
  auto path = directory_of(config.store);
  if (!path) return path.error();
  return make(*path);
}

Result<void> RunDirectory::make(const std::filesystem::path& path) {
  for (auto above = path.parent_path(); !above.empty() && !std::filesystem::exists(above);
       above = above.parent_path()) {
    made_.push_back(above);
  }
  path_ = path;
  std::error_code fault;
  std::filesystem::create_directories(path, fault);
  if (!fault) return success();
  return system_error("the benchmark's directory cannot be made", fault.value()).with_path(path.string());
}

}  // namespace sessile::bench
