// The directory of a document store, for tests of what the store leaves in it.
#pragma once

#include "storage/scratch.hpp"
#include "support/sound.hpp"

#include <sessile/documents.hpp>
#include <sessile/wait.hpp>

namespace sessile::test {

/// Every document below it is checked when the test is done, whichever directory of it is the store's.
class DocumentScratch : public Scratch {
 public:
  const testing::SoundAtEnd sound{[this] { return blocking::wait(open_documents(path()).value().verify()); }};
};

}  // namespace sessile::test
