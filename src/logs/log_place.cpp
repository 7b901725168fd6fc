#include "logs/log_place.hpp"

#include <sessile/error.hpp>

namespace sessile::detail {

namespace {

/// Absolute, so that a program that changes its working directory stays with its log.
std::filesystem::path directory_of(const std::filesystem::path& file) {
  const auto directory = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  std::error_code unknown;
  auto whole = std::filesystem::absolute(directory, unknown);
  return unknown ? directory : whole;
}

Error directory_error(boost::system::error_code cause, const std::filesystem::path& directory) {
  const bool missing = cause == boost::system::errc::no_such_file_or_directory;
  return Error(missing ? Errc::not_found : Errc::unavailable, "cannot open the log's directory")
      .with_path(directory.native())
      .with_cause(cause);
}

}  // namespace

LogPlace::LogPlace(std::shared_ptr<storage::FileSystem> files_, std::filesystem::path file_,
                   LogOptions options_)
    : files(std::move(files_)),
      file(std::move(file_)),
      directory(directory_of(file)),
      name(file.filename().native()),
      sidecar(name + ".lock"),
      options(std::move(options_)),
      pool(options.executor() ? options.executor() : storage::io_executor()) {}

Result<void> LogPlace::check() const {
  if (name.empty() || name == "." || name == ".." || file.native().find('\0') != std::string::npos) {
    return Error(Errc::invalid_argument, "the path does not name a file");
  }
  if (options.durability() == Durability::none) {
    return Error(Errc::invalid_argument, "a log's durability is process or power");
  }
  return success();
}

Result<std::shared_ptr<storage::Directory>> LogPlace::open_directory() const {
  auto opened = files->open_directory(directory);
  if (!opened) return directory_error(opened.error(), directory);
  return *opened;
}

Result<std::shared_ptr<storage::Directory>> LogPlace::make_directory() const {
  auto opened = storage::open_or_make_directory(*files, directory);
  if (!opened) return directory_error(opened.error(), directory);
  return *opened;
}

}  // namespace sessile::detail
