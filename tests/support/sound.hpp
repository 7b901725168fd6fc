// Checks at the end of a test that what it leaves behind is as it should be.
#pragma once

#include <sessile/blocking.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <string>

namespace sessile::testing {

/// A finding as one line.
inline std::string told(const Finding& finding) {
  std::string line(name(finding.kind));
  line.append(" ").append(finding.path);
  if (finding.offset) line.append(" at byte ").append(std::to_string(*finding.offset));
  line.append(": ").append(finding.detail);
  if (finding.failure) line.append("; ").append(finding.failure->message());
  return line;
}

/// Fails the test for each finding that is not of one of the `expected` kinds.
inline void check_sound(const Result<VerifyReport>& report,
                        std::initializer_list<FindingKind> expected = {}) {
  CHECK_MESSAGE(report.has_value(), report.error().message());
  if (!report) return;
  for (const Finding& finding : report->findings) {
    const bool meant = std::find(expected.begin(), expected.end(), finding.kind) != expected.end();
    CHECK_MESSAGE(meant, told(finding));
  }
}

inline void check_sound(SessionStore& store, std::initializer_list<FindingKind> expected = {}) {
  check_sound(blocking::verify(store), expected);
}

/// The same for the store of a URL.
inline void check_sound(const std::string& url, std::initializer_list<FindingKind> expected = {}) {
  auto store = open_store(url);
  REQUIRE(store);
  check_sound(**store, expected);
}

/// Checks a store when it goes, as the last of what a test does.
class SoundAtEnd {
 public:
  explicit SoundAtEnd(std::string url) : url_(std::move(url)) {}
  SoundAtEnd(const SoundAtEnd&) = delete;
  SoundAtEnd& operator=(const SoundAtEnd&) = delete;
  /// A test that failed has told enough.
  ~SoundAtEnd() noexcept(false) {
    if (std::uncaught_exceptions() == 0) check_sound(url_);
  }

 private:
  const std::string url_;
};

}  // namespace sessile::testing
