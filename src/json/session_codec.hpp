// A session from its JSON value.
#pragma once

#include <sessile/json.hpp>

#include <optional>

namespace sessile::detail {

/// What a document holds beside the session.
class DecodedSession {
 public:
  DecodedSession() {}
  Session session;
  std::optional<json::value> appends;  ///< the field `sessile_appends`
};

/// Takes the parts of `document`, of whichever program's form, which lies in the default storage.
Result<DecodedSession> take_session(json::value document, Origin origin);

}  // namespace sessile::detail
