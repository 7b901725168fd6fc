// Runs a function that a user gave us to change something.
#pragma once

#include <sessile/result.hpp>

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace sessile::detail {

/// Calls `function`, which returns a Result<void>; what it throws becomes an error, but bad_alloc. `what`
/// begins the error's text: "the mutation".
template <class F>
Result<void> run_user_code(std::string_view what, F&& function) {
  try {
    return function();
  } catch (const SystemError& thrown) {
    return thrown.error();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& thrown) {
    return Error(Errc::invalid_argument, std::string(what) + " threw an exception; nothing was written")
        .with_outside_text(thrown.what());
  } catch (...) {
    return Error(Errc::invalid_argument,
                 std::string(what) + " threw something that is no exception; nothing was written");
  }
}

}  // namespace sessile::detail
