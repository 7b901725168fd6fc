// A change to a session, as update takes it.
#pragma once

#include <sessile/session.hpp>

#include <functional>
#include <type_traits>

namespace sessile {

/// A function that changes a Session in place: returns nothing, or a Result<void> whose error aborts the
/// update.
///
/// It may run more than once, each time on a fresh copy, on the executor of the operation (the caller's), and
/// must not call the store. What it throws aborts the update. Changing Session::id is refused. When it
/// changes nothing, nothing is written, but what is stored is made as durable as the update was to be.
class Mutation {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Mutation> && std::is_invocable_v<F&, Session&>)
      Mutation(F function) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, Session&>>) {
      function_ = [f = std::move(function)](Session& session) mutable {
        f(session);
        return success();
      };
    } else {
      function_ = std::move(function);
    }
  }

  Result<void> operator()(Session& session) const { return function_(session); }

 private:
  std::function<Result<void>(Session&)> function_;
};

}  // namespace sessile
