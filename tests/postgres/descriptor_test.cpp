// What is left of a connection that the machine lacks the means to wait for.
#include "postgres/fixture.hpp"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/stat.h>

using namespace sessile;
using namespace sessile::testing;

namespace {

std::atomic<bool> no_duplicates{false};
std::atomic<bool> no_sockets{false};
std::atomic<int> refused_sockets{0};

bool is_socket(int descriptor) {
  struct stat found {};
  return ::fstat(descriptor, &found) == 0 && S_ISSOCK(found.st_mode);
}

/// Whether `descriptor` is a socket that was waited for under another number: libpq's.
bool is_duplicate(int descriptor) {
  static std::mutex mutex;
  static std::map<ino_t, int> first_numbers;
  struct stat found {};
  if (::fstat(descriptor, &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
  const std::lock_guard lock(mutex);
  return first_numbers.emplace(found.st_ino, descriptor).first->second != descriptor;
}

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

}  // namespace

/// Asio's calls come here.
extern "C" int epoll_ctl(int epoll, int what, int descriptor, epoll_event* event) noexcept {
  using Function = int (*)(int, int, int, epoll_event*);
  static const Function real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "epoll_ctl"));
  if (no_duplicates && what == EPOLL_CTL_ADD && is_duplicate(descriptor)) {
    errno = ENOSPC;
    return -1;
  }
  if (no_sockets && what == EPOLL_CTL_ADD && is_socket(descriptor)) {
    ++refused_sockets;
    errno = ENOSPC;
    return -1;
  }
  return real(epoll, what, descriptor, event);
}

TEST_CASE("A connection that cannot be waited for leaves no descriptor behind, and its place in the pool") {
  const Database database;
  const auto store = database.open("pool_size=1&retry_timeout=300ms");
  blocking::list(*database.open()).value();
  const std::ptrdiff_t before = open_descriptors();
  no_duplicates = true;
  const auto refused = blocking::list(*store);
  no_duplicates = false;
  CHECK(failed(refused).code() == Errc::unavailable);
  CHECK(failed(refused).detail() == "the connection cannot be set up");
  CHECK(open_descriptors() <= before);
  CHECK(blocking::list(*store).value().items.empty());
}

TEST_CASE("A connection that cannot be waited for while it is made is given up, not asked again and again") {
  const Database database;
  const auto store = database.open("pool_size=1&retry_timeout=300ms");
  no_sockets = true;
  const auto refused = blocking::list(*store);
  no_sockets = false;
  CHECK(failed(refused).code() == Errc::unavailable);
  CHECK(failed(refused).detail() == "the connection cannot be set up");
  CHECK(refused_sockets > 0);
  CHECK(refused_sockets < 40);
  CHECK(blocking::list(*store).value().items.empty());
}
