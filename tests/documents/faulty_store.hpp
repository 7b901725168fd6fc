// A DocumentStore whose calls to the file system can be made to fail.
#pragma once

#include "document_scratch.hpp"
#include "documents/core.hpp"
#include "storage/faulty_directory.hpp"

namespace sessile::test {

/// All directories opened through it are faulty.
class FaultyFileSystem final : public storage::FileSystem {
 public:
  explicit FaultyFileSystem(std::shared_ptr<Faults> faults) : faults_(std::move(faults)) {}
  storage::SysResult<std::shared_ptr<storage::Directory>> open_directory(
      const std::filesystem::path& path) override {
    auto opened = storage::real_file_system()->open_directory(path);
    if (!opened) return opened;
    return std::make_shared<FaultyDirectory>(faults_, std::move(*opened));
  }

 private:
  std::shared_ptr<Faults> faults_;
};

inline DocumentStore open_faulty(const std::filesystem::path& base, std::shared_ptr<Faults> faults) {
  return DocumentStore(std::make_shared<detail::DocumentCore>(
      base, DocumentStoreOptions(), std::make_shared<FaultyFileSystem>(std::move(faults))));
}

/// The files of a directory but the lock's, with their contents.
inline std::map<std::string, std::string> contents(const std::filesystem::path& directory) {
  std::map<std::string, std::string> files;
  for (const std::string& name : Scratch::names(directory)) {
    if (!name.starts_with(".lock")) files[name] = read(directory / name);
  }
  return files;
}

}  // namespace sessile::test
