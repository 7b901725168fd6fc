// What every handle of one DocumentStore shares: the options, and the way to its directories.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/capabilities.hpp>
#include <sessile/documents.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace sessile::detail {

/// Thread-safe. All members but the constructor block.
class DocumentCore {
 public:
  DocumentCore(std::filesystem::path base, DocumentStoreOptions options_,
               std::shared_ptr<storage::FileSystem> files);

  // Constant after construction.
  const DocumentStoreOptions options;
  const asio::any_io_executor executor;
  const Limits limits;

  const std::filesystem::path& base() const noexcept { return base_; }
  Durability durability(std::optional<Durability> asked) const noexcept {
    return asked.value_or(options.durability());
  }

  /// The directory of all categories; null when it is missing.
  Result<std::shared_ptr<storage::Directory>> find_base() const;
  /// The category's directory; null when it, or one above it, is missing.
  Result<std::shared_ptr<storage::Directory>> find(const std::string& category) const;
  /// The same, made when missing. Once it has been returned, its entry in its parent, and so on up to the
  /// base, is durable.
  Result<std::shared_ptr<storage::Directory>> make(const std::string& category);

  /// Removes what dead writers left in the category, once in the life of this object. Precondition: the
  /// caller holds the category's lock, so that no live writer has a temporary file there.
  void sweep_once(const std::string& category, storage::Directory& directory);

 private:
  /// What this object has done for a directory; another identity under the name means another directory.
  class Prepared {
   public:
    storage::FileIdentity identity;
    bool swept = false;
  };
  bool is_prepared(const std::string& category, const storage::Directory& directory);
  void set_prepared(const std::string& category, const storage::Directory& directory);

  const std::filesystem::path base_;
  const std::shared_ptr<storage::FileSystem> files_;
  std::mutex mutex_;
  std::map<std::string, Prepared> prepared_;  // protected by mutex_; at most kMostPrepared
};

}  // namespace sessile::detail
