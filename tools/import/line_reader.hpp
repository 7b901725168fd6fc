// Reads a file line by line within limits, hashing what it reads.
#pragma once

#include "import/importer.hpp"

#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sessile::importing {

/// A regular file, opened for reading without following a symbolic link. Blocking.
class LineReader {
 public:
  class Line {
   public:
    std::uint64_t number = 0;  ///< counted from 1
    std::string_view text;     ///< without the newline and a preceding return; valid until the next call
    bool over_long = false;    ///< text was longer than the limit, and is empty
    bool terminated = false;   ///< a newline followed
  };

  /// `path`: what errors call it. Errors: io, also for what is no regular file.
  static Result<LineReader> open(const TranscriptFile& file, const std::string& path);
  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader();

  /// The next line; empty at the end of the file. Errors: io.
  Result<std::optional<Line>> next(std::uint64_t max_bytes);
  /// All that is left, as one text. Errors: io, too_large.
  Result<std::string> rest(std::uint64_t max_bytes);
  /// Starts again from the first byte.
  Result<void> rewind();

  std::uint64_t size() const noexcept { return size_; }
  TimePoint modified() const noexcept { return modified_; }
  /// Of all bytes read so far, in hexadecimal.
  std::string sha256() const;

 private:
  struct FreeDigest {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  using Digest = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

  LineReader(int descriptor, std::string path);
  Result<bool> fill();  // reads on into buffer_; false at the end of the file
  Result<std::optional<Line>> skip_rest_of_line();

  int descriptor_;
  std::string path_;
  std::uint64_t size_ = 0;
  TimePoint modified_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what was not handed out yet
  std::uint64_t lines_ = 0;
  Digest digest_;
};

}  // namespace sessile::importing
