// What behaviours check with: each says what was expected and what came instead, and ends the behaviour.
#pragma once

#include <sessile/json.hpp>
#include <sessile/results.hpp>

#include <concepts>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sessile::conformance {

/// Boost.JSON makes no value of a std::string.
inline json::value as_json(std::string_view text) {
  return json::string(text);
}

/// Ends a behaviour: the store does not do what it must.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ends a behaviour: it cannot be tried with this harness or store.
class Skip : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// How values are shown in a reason.
std::string show(std::string_view text);  ///< quoted, control characters escaped, cut when long
std::string show(const json::value& value);
std::string show(const Timestamp& time);
std::string show(const Error& error);
inline std::string show(const std::string& text) {
  return show(std::string_view(text));
}
inline std::string show(const char* text) {
  return show(std::string_view(text));
}
inline std::string show(const SessionId& id) {
  return show(id.str());
}
inline std::string show(const AgentId& id) {
  return show(id.str());
}
inline std::string show(bool value) {
  return value ? "true" : "false";
}
inline std::string show(std::integral auto value) {
  return std::to_string(value);
}
std::string show(Durability value);
std::string show(Completeness value);
template <class T>
std::string show(const std::optional<T>& value) {
  return value ? show(*value) : "nothing";
}
template <class T>
std::string show_all(const T& items) {
  std::string text = "[";
  for (const auto& item : items)
    text += (text.size() > 1 ? ", " : "") + show(item);
  return text + "]";
}
template <class T>
std::string show(const std::vector<T>& items) {
  return show_all(items);
}
template <class T>
std::string show(const std::set<T>& items) {
  return show_all(items);
}

[[noreturn]] void fail(std::string_view what, const std::string& expected, const std::string& got);

inline void expect(std::string_view what, bool holds, const std::string& got = "the opposite") {
  if (!holds) fail("", std::string(what), got);
}

template <class A, class B>
void expect_equal(std::string_view what, const A& actual, const B& expected) {
  bool same = false;
  if constexpr (std::integral<A> && std::integral<B> && !std::same_as<A, bool>) {
    same = std::cmp_equal(actual, expected);
  } else {
    same = actual == expected;
  }
  if (!same) fail(what, show(expected), show(actual));
}

/// The value of an operation that must succeed.
template <class T>
T need(std::string_view what, Result<T> result) {
  if (!result) fail(what, "success", show(result.error()));
  return std::move(result).value();
}

/// The error of an operation that must be refused in this way.
template <class T>
Error refused(std::string_view what, Errc code, Result<T> result) {
  if (result) fail(what, std::string(name(code)), "success");
  Error error = result.error();
  if (error.code() != code) fail(what, std::string(name(code)), show(error));
  return error;
}

/// Where two JSON values differ, as a JSON pointer; empty when they don't. Doubles are compared bit by bit,
/// integers by value, objects without regard to order.
std::optional<std::string> difference(const json::value& a, const json::value& b);
void same_json(std::string_view what, const json::value& actual, const json::value& expected);

/// Compares all that a user writes, and says which field differs. Stamped times are left out.
void same_session(std::string_view what, const Session& actual, const Session& expected);

}  // namespace sessile::conformance
