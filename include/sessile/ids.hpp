// The names of sessions and agents.
#pragma once

#include <sessile/result.hpp>

#include <compare>
#include <functional>
#include <string>
#include <string_view>

namespace sessile {

/// A session's name: UTF-8, 1 to 200 bytes, no NUL, compared as bytes, unique in a store.
///
/// Constructing one checks nothing, so that `store.load("abc")` reads well; every operation checks it first
/// and answers invalid_argument. Value type: distinct objects may be used from distinct threads.
class SessionId {
 public:
  SessionId() noexcept {}
  SessionId(std::string text) noexcept : text_(std::move(text)) {}
  SessionId(std::string_view text) : text_(text) {}
  SessionId(const char* text) : text_(text) {}

  /// A random (version 4) UUID.
  static SessionId random();

  const std::string& str() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

  friend bool operator==(const SessionId&, const SessionId&) noexcept = default;
  friend std::strong_ordering operator<=>(const SessionId& a, const SessionId& b) noexcept {
    return a.text_.compare(b.text_) <=> 0;
  }

 private:
  std::string text_;
};

/// An agent's name: as SessionId, but may be empty ("no agent").
class AgentId {
 public:
  AgentId() noexcept {}
  AgentId(std::string text) noexcept : text_(std::move(text)) {}
  AgentId(std::string_view text) : text_(text) {}
  AgentId(const char* text) : text_(text) {}

  const std::string& str() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

  friend bool operator==(const AgentId&, const AgentId&) noexcept = default;
  friend std::strong_ordering operator<=>(const AgentId& a, const AgentId& b) noexcept {
    return a.text_.compare(b.text_) <=> 0;
  }

 private:
  std::string text_;
};

/// The longest id of a session or an agent, in bytes.
inline constexpr std::size_t kMaxIdBytes = 200;

/// Refuses an id that is empty, too long, holds a NUL or is not UTF-8: invalid_argument.
Result<void> check(const SessionId& id);
Result<void> check(const AgentId& id);

/// True when `text` is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

}  // namespace sessile

template <>
struct std::hash<sessile::SessionId> {
  std::size_t operator()(const sessile::SessionId& id) const noexcept {
    return std::hash<std::string>()(id.str());
  }
};

template <>
struct std::hash<sessile::AgentId> {
  std::size_t operator()(const sessile::AgentId& id) const noexcept {
    return std::hash<std::string>()(id.str());
  }
};
