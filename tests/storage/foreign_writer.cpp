// A writer that knows nothing of Sessile, as the reference library's processes are: takes flock on the
// sidecar of DIRECTORY/ID.json, trying every 2 ms, adds one to the first number after "count": in the
// document, COUNT times, by a temporary file and a rename.
//   foreign_writer DIRECTORY ID COUNT
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace {

bool replace(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  std::ofstream(temporary, std::ios::binary) << text;
  return ::rename(temporary.c_str(), path.c_str()) == 0;
}

bool count_up(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::size_t at = text.find("\"count\":");
  if (at == std::string::npos) return false;
  const std::size_t begin = text.find_first_of("0123456789", at);
  const std::size_t end = text.find_first_not_of("0123456789", begin);
  const int count = std::stoi(text.substr(begin, end - begin));
  return replace(path, text.replace(begin, end - begin, std::to_string(count + 1)));
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  const std::string path = std::string(words[1]) + "/" + words[2] + ".json";
  for (int i = 0; i < std::atoi(words[3]); ++i) {
    const int lock = ::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0) return 1;
    while (::flock(lock, LOCK_EX | LOCK_NB) != 0)
      ::usleep(2000);
    const bool done = count_up(path);
    ::close(lock);
    if (!done) return 1;
  }
  return 0;
}
