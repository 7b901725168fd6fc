// Processes made by fork, and what they share with the one that made them.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <stdexcept>
#include <utility>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sessile::testing {

/// A child process that runs a function and exits with what that returns; killed and waited for when this
/// goes, and killed by the kernel when this process dies. The process that makes one must have no other
/// thread, and no store open: so it leaves all work with stores to its children.
class Forked {
 public:
  explicit Forked(const std::function<int()>& body) {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(255);
    // The test framework's handlers would report the parent's tests as failed.
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM})
      std::signal(signal, SIG_DFL);
    // What it throws must not unwind into the parent's part of the stack.
    try {
      const int status = body();
      std::fflush(nullptr);
      ::_exit(status);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "a child process: %s\n", error.what());
      ::_exit(254);
    }
  }
  Forked(Forked&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Forked& operator=(Forked&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~Forked() {
    kill();
    wait();
  }

  pid_t pid() const noexcept { return pid_; }
  void kill() const noexcept {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }
  /// Its exit status; 1000 and the signal's number when a signal ended it; -1 when it was waited for before.
  int wait() noexcept {
    if (pid_ <= 0) return -1;
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

/// A value-initialised T in memory that this process shares with the children it makes from now on. T's
/// destructor does not run.
template <class T>
class Shared {
 public:
  Shared() {
    void* place = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    value_ = new (place) T();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(value_, sizeof(T)); }
  T& operator*() const noexcept { return *value_; }
  T* operator->() const noexcept { return value_; }

 private:
  T* value_;
};

/// Lets `parties` processes go on together.
class SharedBarrier {
 public:
  explicit SharedBarrier(unsigned parties) {
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (pthread_barrier_init(&*barrier_, &attributes, parties) != 0) throw std::runtime_error("no barrier");
    pthread_barrierattr_destroy(&attributes);
  }
  void wait() noexcept { pthread_barrier_wait(&*barrier_); }

 private:
  Shared<pthread_barrier_t> barrier_;
};

}  // namespace sessile::testing
