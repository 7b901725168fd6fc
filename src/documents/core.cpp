#include "documents/core.hpp"

#include "documents/file.hpp"
#include "documents/names.hpp"
#include "storage/io_pool.hpp"
#include "storage/replace_file.hpp"

#include <cerrno>

namespace sessile::detail {
namespace {

/// Forgetting one costs a few syncs and a listing at its next write.
constexpr std::size_t kMostPrepared = 4096;

bool is_missing(const boost::system::error_code& cause) {
  return cause == boost::system::error_code(ENOENT, boost::system::system_category());
}

Limits limits_of(const DocumentStoreOptions& options) {
  Limits limits;
  limits.session_bytes = options.document_bytes();
  limits.depth = options.depth();
  return limits;
}

Error place_error(boost::system::error_code cause, const std::filesystem::path& path) {
  return Error(Errc::unavailable, "cannot open the directory of the documents")
      .with_path(path.string())
      .with_cause(cause);
}

}  // namespace

DocumentCore::DocumentCore(std::filesystem::path base, DocumentStoreOptions options_,
                           std::shared_ptr<storage::FileSystem> files)
    : options(std::move(options_)),
      executor(options.executor() ? options.executor() : storage::io_executor()),
      limits(limits_of(options)),
      base_(std::move(base)),
      files_(std::move(files)) {}

Result<std::shared_ptr<storage::Directory>> DocumentCore::find(const std::string& category) const {
  const auto parts = category_parts(category);
  if (!parts) return parts.error();
  auto directory = find_base();
  if (!directory || !*directory) return directory;
  for (const std::string& part : *parts) {
    auto next = (*directory)->open_directory(part);
    if (!next) {
      if (is_missing(next.error())) return std::shared_ptr<storage::Directory>();
      return storage::system_error(next.error(), "cannot open the category", **directory, part);
    }
    directory = std::move(*next);
  }
  return directory;
}

Result<std::shared_ptr<storage::Directory>> DocumentCore::find_base() const {
  auto directory = files_->open_directory(base_);
  if (directory) return std::move(*directory);
  if (is_missing(directory.error())) return std::shared_ptr<storage::Directory>();
  return place_error(directory.error(), base_);
}

Result<std::shared_ptr<storage::Directory>> DocumentCore::make(const std::string& category) {
  auto found = find(category);
  if (!found) return found.error();
  if (*found && is_prepared(category, **found)) return found;

  auto directory = storage::open_or_make_directory(*files_, base_);
  if (!directory) return place_error(directory.error(), base_);
  const auto parts = category_parts(category);
  if (!parts) return parts.error();
  for (const std::string& part : *parts) {
    auto next = storage::open_or_make_directory(**directory, part);
    if (!next) return storage::system_error(next.error(), "cannot make the category", **directory, part);
    directory = std::move(next);
  }
  set_prepared(category, **directory);
  return std::move(*directory);
}

bool DocumentCore::is_prepared(const std::string& category, const storage::Directory& directory) {
  const std::lock_guard lock(mutex_);
  const auto known = prepared_.find(category);
  return known != prepared_.end() && known->second.identity == directory.identity();
}

void DocumentCore::set_prepared(const std::string& category, const storage::Directory& directory) {
  const std::lock_guard lock(mutex_);
  if (prepared_.size() >= kMostPrepared) prepared_.clear();
  Prepared fresh;
  fresh.identity = directory.identity();
  prepared_.insert_or_assign(category, fresh);
}

void DocumentCore::sweep_once(const std::string& category, storage::Directory& directory) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = prepared_.find(category);
    if (known == prepared_.end() || std::exchange(known->second.swept, true)) return;
  }
  const auto entries = directory.list();
  if (!entries) return;  // another store sweeps
  for (const auto& entry : *entries) {
    if (entry.kind == storage::FileKind::regular && is_temporary_document(entry.name)) {
      directory.remove(entry.name).has_value();
    }
  }
}

}  // namespace sessile::detail
