// Brings imported sessions into a store, and nothing twice.
#pragma once

#include "import/importer.hpp"

#include <sessile/store.hpp>

namespace sessile::importing {

enum class Outcome {
  imported,   ///< was not there
  replaced,   ///< an older state of the same file was there, and nobody had changed it
  unchanged,  ///< was there already
};

std::string_view name(Outcome outcome) noexcept;

/// Saves `session` as read_transcript made it, keeping its times. Blocks the calling thread.
///
/// What is stored under its id is replaced only when it came from the same file and was not written to since:
/// else conflict, and it is left as it is. A document of ours (Format::sessile) is as somebody exported it:
/// it is compared with what is stored, and never replaces it. Other errors: as SessionStore::load and save.
/// Thread-safe.
Result<Outcome> ingest(SessionStore& store, Session session, Format format,
                       SaveOptions options = SaveOptions());

}  // namespace sessile::importing
