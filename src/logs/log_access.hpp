// The logs on a file system other than the operating system's.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/memory_log.hpp>
#include <sessile/session_log.hpp>

namespace sessile::detail {

class LogAccess {
 public:
  static SessionLog session_log(std::shared_ptr<storage::FileSystem> files, std::filesystem::path file,
                                json::object meta, LogOptions options);
  static Async<MemoryLog> open_memory(std::shared_ptr<storage::FileSystem> files, std::filesystem::path file,
                                      LogOptions options);
  static Async<VerifyReport> verify_memory(std::shared_ptr<storage::FileSystem> files,
                                           std::filesystem::path file, VerifyOptions options, LogOptions log);
};

}  // namespace sessile::detail
