// Every kind of store that keeps sessions on this machine, fresh and empty, with a clock that the test sets.
#pragma once

#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sessile::testing {

/// One store to test.
class TestStore {
 public:
  explicit TestStore(std::string scheme_) : scheme(std::move(scheme_)) {
    OpenOptions options;
    options.clock(clock).observer([counter = loads](const OperationEvent& event) {
      if (event.operation == "load") ++*counter;
    });
    store = open_store(scheme == "memory" ? "memory:" : scheme + ":" + directory.path().string(), options)
                .value();
  }

  TestStore(const TestStore&) = delete;
  TestStore& operator=(const TestStore&) = delete;
  /// What is left is sound, unless the test damaged it itself.
  ~TestStore() noexcept(false) {
    if (std::uncaught_exceptions() > 0) return;
    if (!damaged) check_sound(*store);
    run(store->close()).value();
  }

  const std::string scheme;
  TemporaryDirectory directory;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<std::atomic<int>> loads = std::make_shared<std::atomic<int>>(0);
  StorePtr store;
  bool damaged = false;  ///< by the test, on purpose
};

inline void for_each_store(void (*test)(TestStore&)) {
  const std::vector<std::string> known = registered_schemes();
  for (const std::string scheme : {"memory", "file", "jsondir"}) {
    if (std::find(known.begin(), known.end(), scheme) == known.end()) continue;
    CAPTURE(scheme);
    TestStore place(scheme);
    test(place);
  }
}

}  // namespace sessile::testing
