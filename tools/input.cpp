#include "input.hpp"

#include "output.hpp"

#include <unistd.h>

#include <cerrno>

namespace sessile::tools {

Result<std::string> read_input(std::string_view expected, std::uint64_t max_bytes) {
  constexpr std::size_t kChunk = std::size_t{64} << 10;
  if (::isatty(STDIN_FILENO) == 1) print_note("reading " + std::string(expected) + "; end with Ctrl-D");
  std::string text;
  for (;;) {
    const std::size_t old = text.size();
    text.resize(old + kChunk);
    const ssize_t count = ::read(STDIN_FILENO, text.data() + old, kChunk);
    text.resize(old + static_cast<std::size_t>(count < 0 ? 0 : count));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error(Errc::io, "cannot read stdin").with_cause({errno, boost::system::system_category()});
    }
    if (count == 0) return text;
    if (text.size() > max_bytes) {
      return Error(Errc::too_large,
                   "stdin holds more than the limit of " + std::to_string(max_bytes) + " bytes");
    }
  }
}

}  // namespace sessile::tools
