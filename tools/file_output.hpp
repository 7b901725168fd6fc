// A file that appears whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace sessile::tools {

/// Written beside its place under a name of its own, mode 0600 whatever the umask, and moved there by
/// commit(). Without a commit it is removed. Every function throws std::system_error.
class FileOutput {
 public:
  explicit FileOutput(std::string path);
  FileOutput(const FileOutput&) = delete;
  FileOutput& operator=(const FileOutput&) = delete;
  ~FileOutput();

  void write(std::string_view text);
  /// Syncs it to the device and moves it to its place, replacing what is there.
  void commit();

 private:
  void flush();

  const std::string path_;
  const std::string temporary_;
  int descriptor_ = -1;
  std::string buffer_;
};

}  // namespace sessile::tools
