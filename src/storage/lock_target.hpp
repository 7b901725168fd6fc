// Which sidecar is locked, and how.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/lock_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace sessile::storage {

/// One sidecar, as every store of this process sees it.
class SidecarKey {
 public:
  SidecarKey(FileIdentity directory_, std::string name_) : directory(directory_), name(std::move(name_)) {}
  FileIdentity directory;
  std::string name;
  friend auto operator<=>(const SidecarKey&, const SidecarKey&) = default;
};

/// Shared by all that deal with one lock, so that nothing of it need be copied where there may be no memory.
class LockTarget {
 public:
  using Clock = std::chrono::steady_clock;
  LockTarget(std::shared_ptr<Directory> directory_, std::string sidecar, LockOptions options_,
             boost::asio::any_io_executor pool_)
      : directory(std::move(directory_)),
        key(directory->identity(), std::move(sidecar)),
        options(std::move(options_)),
        pool(std::move(pool_)) {}
  const std::string& sidecar() const noexcept { return key.name; }
  std::string path() const { return (directory->path() / sidecar()).string(); }

  const std::shared_ptr<Directory> directory;
  const SidecarKey key;
  const LockOptions options;
  const boost::asio::any_io_executor pool;
};

using LockTargetPtr = std::shared_ptr<const LockTarget>;

}  // namespace sessile::storage
