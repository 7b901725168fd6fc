#include "storage/fork_guard.hpp"

#include <pthread.h>

#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>

namespace sessile::storage {

namespace {

class OpenDescriptors {
 public:
  /// Never destroyed: locks may be freed while the program ends.
  static OpenDescriptors& instance() {
    static auto& descriptors = *new OpenDescriptors;
    return descriptors;
  }

  std::mutex mutex;
  /// Raised in every child, where the numbers of before stand for nothing any more.
  std::atomic<unsigned> generation = 0;
  std::map<int, unsigned> numbers;  // and the generation that opened each; guarded by mutex

 private:
  OpenDescriptors() {
    if (::pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); }, in_child) != 0) {
      throw std::bad_alloc();
    }
  }

  /// Only calls that are safe in the child of a process with threads: the map is left as it is, and a store
  /// must not be used here.
  static void in_child() {
    for (const auto& [number, generation] : instance().numbers) {
      if (generation == instance().generation) ::close(number);
    }
    ++instance().generation;
    instance().mutex.unlock();
  }
};

}  // namespace

SysResult<LockDescriptor> LockDescriptor::open(int directory, const std::string& name, int flags) {
  auto& open = OpenDescriptors::instance();
  const std::lock_guard lock(open.mutex);
  Descriptor file(retried([&] { return ::openat(directory, name.c_str(), flags, 0600); }));
  if (!file) return last_error();
  open.numbers.insert_or_assign(file.get(), open.generation);
  return LockDescriptor(std::move(file), open.generation);
}

LockDescriptor& LockDescriptor::operator=(LockDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::move(other.descriptor_);
    generation_ = other.generation_;
  }
  return *this;
}

LockDescriptor::~LockDescriptor() {
  close();
}

int LockDescriptor::get() const noexcept {
  return generation_ == OpenDescriptors::instance().generation ? descriptor_.get() : -1;
}

void LockDescriptor::close() noexcept {
  if (!descriptor_) return;
  auto& open = OpenDescriptors::instance();
  if (generation_ != open.generation) {
    // Closed when this process was forked; the number may be another file's by now.
    descriptor_.release();
    return;
  }
  const std::lock_guard lock(open.mutex);
  open.numbers.erase(descriptor_.get());
  descriptor_.close().has_value();
}

}  // namespace sessile::storage
