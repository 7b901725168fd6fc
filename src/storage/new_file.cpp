#include "storage/new_file.hpp"

#include <cerrno>
#include <span>
#include <utility>

namespace sessile::storage {

NewFile::NewFile(Directory& directory, std::string name) : directory_(directory), name_(std::move(name)) {}

NewFile::~NewFile() {
  if (file_ == nullptr || kept_) return;
  file_.reset();
  // A failure leaves a temporary file to the sweep; a part of a copy harms nobody.
  directory_.remove(name_).has_value();
}

SysResult<void> NewFile::make() {
  auto file = directory_.open_file(name_, OpenMode::create_exclusive);
  if (!file) return file.error();
  file_ = std::move(*file);
  return {};
}

SysResult<void> NewFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    auto written = file_->write_at(size_, std::span(bytes.data(), bytes.size()));
    if (!written) return written.error();
    if (*written == 0) return boost::system::error_code(EIO, boost::system::system_category());
    size_ += *written;
    bytes.remove_prefix(*written);
  }
  return {};
}

}  // namespace sessile::storage
