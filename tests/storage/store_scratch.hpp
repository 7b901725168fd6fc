// The directory of a store, for tests of what the store leaves in it.
#pragma once

#include "scratch.hpp"
#include "support/sound.hpp"

namespace sessile::test {

/// Checked as a store's directory when the test is done.
class StoreScratch : public Scratch {
 public:
  explicit StoreScratch(const std::string& scheme = "file") : sound(scheme + ":" + path().string()) {}
  const testing::SoundAtEnd sound;
};

}  // namespace sessile::test
