// The suite against the memory backend.
#include "conformance/harnesses.hpp"
#include "support/sound.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sessile::conformance {
namespace {

/// The stores that a behaviour opened. Thread-safe.
class Opened {
 public:
  void add(const StorePtr& store) {
    const std::lock_guard lock(mutex_);
    stores_.push_back(store);
  }
  std::vector<StorePtr> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(stores_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<StorePtr> stores_;
};

}  // namespace

TEST_CASE("The memory backend passes the conformance suite") {
  check_conformance(memory_harness(), {"the harness has no ", "the store reaches no further"});
}

TEST_CASE("Every behaviour of the conformance suite leaves its memory stores sound") {
  const auto opened = std::make_shared<Opened>();
  // A run of its own: stores that are kept are not those of the one above, which may go while they work.
  Harness harness = memory_harness();
  harness.open = [open = harness.open, opened](OpenOptions options) {
    auto store = open(std::move(options));
    if (store) opened->add(*store);
    return store;
  };
  const auto reports = run_all(harness, [&opened](const Report& report) {
    INFO(report.slug);
    for (const StorePtr& store : opened->take()) {
      const auto left = blocking::verify(*store);
      const bool closed = !left && left.error().code() == Errc::closed;
      if (!closed) testing::check_sound(left);
    }
  });
  CHECK(reports.size() == behaviours().size());
}

}  // namespace sessile::conformance
