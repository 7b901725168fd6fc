// A value or an Error.
#pragma once

#include <sessile/error.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <atomic>
#include <type_traits>
#include <utility>

namespace sessile {

namespace asio = boost::asio;

namespace detail {
/// In a debug build of the library, ends the program: a failure was about to be forgotten.
void on_unchecked_error(const Error& error) noexcept;
struct Success {};
}  // namespace detail

/// How boost::system::result throws an Error; found by argument-dependent lookup. Throws SystemError.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

/// The outcome of an operation: a `T`, or the Error that kept it from being made.
///
/// Look at it with has_value(), error() or value(), or pass it on. A Result that holds an error and is
/// destroyed without having been looked at ends a program built against a debug build of the library, since
/// `[[nodiscard]]` does not reach a `co_await` with g++ 12. ignore() says that it is meant.
/// Thread safety: as for a `T`; const members may be called from several threads.
template <class T>
class [[nodiscard]] Result {
  using Inner = boost::system::result<T, Error>;

 public:
  using value_type = T;

  /// Holds an error that says nothing. There for Asio, whose completions need a default.
  Result() : inner_(boost::system::in_place_error, Error()), looked_at_(true) {}
  Result(Error error) : inner_(boost::system::in_place_error, std::move(error)) {}
  Result(Errc code) : inner_(boost::system::in_place_error, Error(code)) {}

  Result(detail::Success) requires std::is_void_v<T> : inner_(boost::system::in_place_value) {}

  /// Holds a value made from `value`.
  template <class U = T>
  requires(!std::is_void_v<T> && std::is_convertible_v<U&&, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, Errc>)
      Result(U&& value)
      : inner_(boost::system::in_place_value, std::forward<U>(value)) {}

  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<Inner>)
      : inner_(std::move(other.inner_)), looked_at_(other.take_looked_at()) {}
  Result(const Result& other) : inner_(other.inner_), looked_at_(other.take_looked_at()) {}
  Result& operator=(Result other) noexcept(std::is_nothrow_move_assignable_v<Inner>) {
    complain_if_forgotten();
    inner_ = std::move(other.inner_);
    looked_at_.store(other.take_looked_at(), std::memory_order_relaxed);
    return *this;
  }
  ~Result() { complain_if_forgotten(); }

  bool has_value() const noexcept {
    look();
    return inner_.has_value();
  }
  bool has_error() const noexcept { return !has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value. Throws SystemError when there is none.
  decltype(auto) value() & {
    look();
    return inner_.value();
  }
  decltype(auto) value() const& {
    look();
    return inner_.value();
  }
  std::conditional_t<std::is_void_v<T>, void, T> value() && {
    look();
    return std::move(inner_).value();
  }

  /// The value. Precondition: has_value().
  decltype(auto) operator*() & noexcept { return *inner_; }
  decltype(auto) operator*() const& noexcept { return *inner_; }
  decltype(auto) operator*() && noexcept { return *std::move(inner_); }
  auto operator->() noexcept { return inner_.operator->(); }
  auto operator->() const noexcept { return inner_.operator->(); }

  /// The error. Precondition: !has_value(); else an Error that says nothing.
  Error error() const {
    look();
    return inner_.has_value() ? Error() : inner_.error();
  }

  /// Says that a failure, if there was one, is of no interest here.
  void ignore() const noexcept { look(); }

 private:
  void look() const noexcept { looked_at_.store(true, std::memory_order_relaxed); }
  /// Whether it was looked at; from now on it was.
  bool take_looked_at() const noexcept {
    const bool before = looked_at_.load(std::memory_order_relaxed);
    look();
    return before;
  }
  void complain_if_forgotten() noexcept {
    if (!looked_at_.load(std::memory_order_relaxed) && inner_.has_error())
      detail::on_unchecked_error(inner_.error());
  }

  Inner inner_;
  // Atomic, since looking is const: a shared Result may be looked at by several threads.
  mutable std::atomic<bool> looked_at_ = false;
};

/// Success without a value: `return success();`
inline Result<void> success() {
  return Result<void>(detail::Success());
}

/// What every operation returns: a coroutine that completes with a Result.
template <class T>
using Async = asio::awaitable<Result<T>>;

}  // namespace sessile
