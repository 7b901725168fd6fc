#include "import/line_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sessile::importing {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;

Error system_failure(std::string_view what, const std::string& path) {
  return Error(Errc::io, what).with_path(path).with_cause({errno, boost::system::system_category()});
}

}  // namespace

LineReader::LineReader(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)), digest_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr);
}

LineReader::LineReader(LineReader&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      size_(other.size_),
      modified_(other.modified_),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      lines_(other.lines_),
      digest_(std::move(other.digest_)) {}

LineReader::~LineReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<LineReader> LineReader::open(const TranscriptFile& file, const std::string& path) {
  // O_NONBLOCK: a FIFO in a transcript folder must not hold us up before fstat shows what it is.
  const int descriptor = file.open(O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return system_failure("cannot open the file", path);
  LineReader reader(descriptor, path);
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return system_failure("cannot examine the file", path);
  if (!S_ISREG(status.st_mode)) return Error(Errc::io, "not a regular file").with_path(path);
  reader.size_ = static_cast<std::uint64_t>(status.st_size);
  reader.modified_ = TimePoint(std::chrono::seconds(status.st_mtim.tv_sec) +
                               std::chrono::microseconds(status.st_mtim.tv_nsec / 1000));
  return reader;
}

Result<bool> LineReader::fill() {
  if (begin_ > 0) buffer_.erase(0, std::exchange(begin_, 0));
  const std::size_t old = buffer_.size();
  buffer_.resize(old + kChunk);
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, buffer_.data() + old, kChunk);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    buffer_.resize(old);
    return system_failure("cannot read the file", path_);
  }
  buffer_.resize(old + static_cast<std::size_t>(count));
  EVP_DigestUpdate(digest_.get(), buffer_.data() + old, static_cast<std::size_t>(count));
  return count > 0;
}

Result<std::optional<LineReader::Line>> LineReader::next(std::uint64_t max_bytes) {
  std::size_t searched = begin_;
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched);
    const std::size_t length = (end == std::string::npos ? buffer_.size() : end) - begin_;
    if (length > max_bytes) return skip_rest_of_line();
    if (end != std::string::npos) {
      Line line;
      line.number = ++lines_;
      line.terminated = true;
      line.text = std::string_view(buffer_).substr(begin_, length);
      if (line.text.ends_with('\r')) line.text.remove_suffix(1);
      begin_ = end + 1;
      return std::optional(line);
    }
    const Result<bool> more = fill();
    if (!more) return more.error();
    searched = length;  // fill moved what is left to the front
    if (*more) continue;
    if (length == 0) return std::optional<Line>();
    Line line;
    line.number = ++lines_;
    line.text = std::string_view(buffer_).substr(0, length);
    begin_ = length;
    return std::optional(line);
  }
}

Result<std::optional<LineReader::Line>> LineReader::skip_rest_of_line() {
  Line line;
  line.number = ++lines_;
  line.over_long = true;
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_);
    if (end != std::string::npos) {
      line.terminated = true;
      begin_ = end + 1;
      return std::optional(line);
    }
    begin_ = buffer_.size();
    const Result<bool> more = fill();
    if (!more) return more.error();
    if (!*more) return std::optional(line);
  }
}

Result<std::string> LineReader::rest(std::uint64_t max_bytes) {
  for (;;) {
    if (buffer_.size() - begin_ > max_bytes) {
      return Error(Errc::too_large,
                   "the file is larger than the limit of " + std::to_string(max_bytes) + " bytes")
          .with_path(path_);
    }
    const Result<bool> more = fill();
    if (!more) return more.error();
    if (!*more) return std::move(buffer_);
  }
}

Result<void> LineReader::rewind() {
  if (::lseek(descriptor_, 0, SEEK_SET) != 0) return system_failure("cannot read the file again", path_);
  buffer_.clear();
  begin_ = 0;
  lines_ = 0;
  EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr);
  return success();
}

std::string LineReader::sha256() const {
  const Digest copy(EVP_MD_CTX_new());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  EVP_MD_CTX_copy_ex(copy.get(), digest_.get());
  EVP_DigestFinal_ex(copy.get(), bytes, &count);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

}  // namespace sessile::importing
