#include "storage/store_directory.hpp"

#include <string>
#include <system_error>

namespace sessile::storage {

Result<std::filesystem::path> store_directory(std::filesystem::path directory, const LockOptions& lock,
                                              std::string_view backend) {
  const auto refuse = [backend](std::string_view detail) {
    return Error(Errc::invalid_argument, detail).with_backend(backend);
  };
  if (directory.empty()) return refuse("the store's directory is not given");
  if (directory.native().find('\0') != std::string::npos) return refuse("the store's directory holds a NUL");
  if (lock.timeout().count() < 0) return refuse("the lock's timeout is negative");
  std::error_code failed;
  auto absolute = std::filesystem::absolute(directory, failed);
  return failed ? std::move(directory) : std::move(absolute);
}

}  // namespace sessile::storage
