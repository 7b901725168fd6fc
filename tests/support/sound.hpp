// Checks at the end of a test that what it leaves behind is as it should be.
#pragma once

#include <sessile/blocking.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sessile::testing {

using FindingKinds = std::vector<FindingKind>;

/// What a process that was killed at work may leave. Readers mind none of it, and the next writer sweeps it.
inline FindingKinds remains_of_the_dead() {
  return {FindingKind::torn, FindingKind::leftover, FindingKind::stale_entry};
}

/// A finding as one line.
inline std::string told(const Finding& finding) {
  std::string line(name(finding.kind));
  line.append(" ").append(finding.path);
  if (finding.offset) line.append(" at byte ").append(std::to_string(*finding.offset));
  line.append(": ").append(finding.detail);
  if (finding.failure) line.append("; ").append(finding.failure->message());
  return line;
}

/// The findings that are not of one of the `expected` kinds, a line each; or why there is no report.
inline std::string faults_in(const Result<VerifyReport>& report, const FindingKinds& expected = {}) {
  if (!report) return "verify: " + report.error().message();
  std::string faults;
  for (const Finding& finding : report->findings) {
    const bool meant = std::find(expected.begin(), expected.end(), finding.kind) != expected.end();
    if (!meant) faults += told(finding) + "\n";
  }
  return faults;
}

/// Fails the test when there is a finding that is not of one of the `expected` kinds.
inline void check_sound(const Result<VerifyReport>& report, const FindingKinds& expected = {}) {
  CHECK(faults_in(report, expected) == "");
}

inline void check_sound(SessionStore& store, const FindingKinds& expected = {}) {
  check_sound(blocking::verify(store), expected);
}

/// The same for the store of a URL.
inline void check_sound(const std::string& url, const FindingKinds& expected = {}) {
  auto store = open_store(url);
  REQUIRE(store);
  check_sound(**store, expected);
}

/// Checks what a test leaves when it goes, as the last of what the test does: the last member of a fixture,
/// or declared before what has the store open.
class SoundAtEnd {
 public:
  using Check = std::function<Result<VerifyReport>()>;

  /// `allowed`: what may be found, or not.
  explicit SoundAtEnd(Check check, FindingKinds allowed = {})
      : check_(std::move(check)), allowed_(std::move(allowed)) {}
  /// The store of a URL.
  explicit SoundAtEnd(const std::string& url, FindingKinds allowed = {})
      : SoundAtEnd([url] { return blocking::verify(*open_store(url).value()); }, std::move(allowed)) {}
  SoundAtEnd(const SoundAtEnd&) = delete;
  SoundAtEnd& operator=(const SoundAtEnd&) = delete;
  /// A test that failed has told enough.
  ~SoundAtEnd() noexcept(false) {
    if (std::uncaught_exceptions() > 0) return;
    const auto report = check_();
    FindingKinds known = allowed_;
    known.insert(known.end(), planted_.begin(), planted_.end());
    check_sound(report, known);
    if (!report) return;
    for (const FindingKind kind : planted_) {
      const auto is_it = [kind](const Finding& finding) { return finding.kind == kind; };
      CHECK_MESSAGE(std::any_of(report->findings.begin(), report->findings.end(), is_it), name(kind));
    }
  }

  /// The test damages the store on purpose, so that this must be found.
  void expect(FindingKind kind) const { planted_.push_back(kind); }
  void allow(const FindingKinds& kinds) const { allowed_.insert(allowed_.end(), kinds.begin(), kinds.end()); }

 private:
  const Check check_;
  // The fixtures that have one are constant in most tests.
  mutable FindingKinds allowed_;
  mutable FindingKinds planted_;
};

/// Checks all stores of a test when it goes.
class SoundStores {
 public:
  const SoundAtEnd& at(const std::string& url) const { return stores_.try_emplace(url, url).first->second; }

 private:
  mutable std::map<std::string, SoundAtEnd> stores_;
};

}  // namespace sessile::testing
