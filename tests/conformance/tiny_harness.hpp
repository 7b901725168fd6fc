// How the conformance suite gets at the tiny backend.
#pragma once

#include "examples/tiny_backend.hpp"

#include <sessile/conformance.hpp>

namespace sessile::conformance {

// [harness]
inline Harness tiny_harness() {
  const auto shelf = std::make_shared<tiny::Shelf>();
  Harness harness;
  harness.open = [shelf](OpenOptions options) { return tiny::open(shelf, std::move(options)); };
  harness.reopen = harness.open;
  harness.corrupt = [shelf](SessionId id) {
    const std::lock_guard lock(shelf->mutex);
    shelf->texts[id.str()] = "{\"garbage\": ";
    return success();
  };
  harness.discard = [shelf](SessionId id) {
    const std::lock_guard lock(shelf->mutex);
    shelf->texts.erase(id.str());
    return success();
  };
  return harness;
}
// [/harness]

}  // namespace sessile::conformance
