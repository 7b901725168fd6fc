// Where a log's file is, and the checks and look-ups that every log begins with.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"

#include <sessile/log_options.hpp>
#include <sessile/result.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace sessile::detail {

/// A log's directory, name and options. Constant after construction.
class LogPlace {
 public:
  LogPlace(std::shared_ptr<storage::FileSystem> files, std::filesystem::path file, LogOptions options);

  /// Refuses a path that names no file, and durability none: invalid_argument.
  Result<void> check() const;
  /// Opens the directory. Blocks. Errors: not_found, unavailable, io.
  Result<std::shared_ptr<storage::Directory>> open_directory() const;
  /// Opens the directory, made when it is missing. Blocks. Errors: unavailable, io.
  Result<std::shared_ptr<storage::Directory>> make_directory() const;

  const std::shared_ptr<storage::FileSystem> files;
  const std::filesystem::path file;       ///< as it was given
  const std::filesystem::path directory;  ///< absolute
  const std::string name;
  const std::string sidecar;  ///< what the lock is taken on
  const LogOptions options;
  const asio::any_io_executor pool;
};

}  // namespace sessile::detail
