// From a URL to a store.
#pragma once

#include <sessile/capabilities.hpp>
#include <sessile/lock_observer.hpp>
#include <sessile/observer.hpp>
#include <sessile/result.hpp>
#include <sessile/time.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile {

class SessionStore;

enum class Access { read_write, read_only };
enum class MissingPlace {
  create,  ///< made on the first write; before it, listings are empty
  refuse,  ///< the first operation answers unavailable
};

/// What every backend can be opened with.
class OpenOptions {
 public:
  OpenOptions() {}
  /// Runs the store's internals (blocking file work, timers) here instead of on the process-wide pool. Must
  /// allow blocking work: a thread_pool of its own, never a caller's event loop. Must outlive the store's
  /// operations.
  OpenOptions& executor(asio::any_io_executor value) { return executor_ = std::move(value), *this; }
  OpenOptions& clock(std::shared_ptr<const Clock> value) { return clock_ = std::move(value), *this; }
  OpenOptions& observer(Observer value) { return observer_ = std::move(value), *this; }
  /// Told of the locks that the store's writers take; never called by a backend that takes none.
  OpenOptions& lock_observer(LockObserver value) { return lock_observer_ = std::move(value), *this; }
  OpenOptions& limits(Limits value) { return limits_ = value, *this; }
  /// Default for every write; when it is not given, the strongest the backend has.
  OpenOptions& durability(Durability value) noexcept { return durability_ = value, *this; }
  /// read_only: every writing operation answers unsupported.
  OpenOptions& access(Access value) noexcept { return access_ = value, *this; }
  OpenOptions& missing_place(MissingPlace value) noexcept { return missing_ = value, *this; }

  const asio::any_io_executor& executor() const noexcept { return executor_; }
  const std::shared_ptr<const Clock>& clock() const noexcept { return clock_; }
  const Observer& observer() const noexcept { return observer_; }
  const LockObserver& lock_observer() const noexcept { return lock_observer_; }
  const Limits& limits() const noexcept { return limits_; }
  std::optional<Durability> durability() const noexcept { return durability_; }
  Access access() const noexcept { return access_; }
  MissingPlace missing_place() const noexcept { return missing_; }

 private:
  asio::any_io_executor executor_;
  std::shared_ptr<const Clock> clock_ = system_clock();
  Observer observer_;
  LockObserver lock_observer_;
  Limits limits_;
  std::optional<Durability> durability_;
  Access access_ = Access::read_write;
  MissingPlace missing_ = MissingPlace::create;
};

/// A store's URL taken apart: `scheme:rest?name=value&name=value`, percent-decoded.
class StoreUrl {
 public:
  StoreUrl() {}
  /// Errors: invalid_argument.
  static Result<StoreUrl> parse(std::string_view text);

  std::string scheme;
  std::string rest;  ///< between the colon and the question mark, percent-decoded: a directory for `file:`
  std::string
      literal;  ///< all of it, undecoded: for schemes with a syntax of their own; may hold credentials
  std::map<std::string, std::string> parameters;
};

/// Takes named parameters out of a URL, and complains of what nobody took.
class UrlParameters {
 public:
  explicit UrlParameters(const StoreUrl& url) : left_(url.parameters) {}
  /// The value, removed from what is left; empty when it is not there.
  std::optional<std::string> take(const std::string& name);
  /// Applies the parameters every backend has: durability, mode, create, max_message, max_session, max_depth.
  Result<void> apply_common(OpenOptions& options);
  /// Names the first unknown parameter: invalid_argument.
  Result<void> finish() const;

 private:
  std::map<std::string, std::string> left_;
};

/// Makes a store from its URL, doing no I/O. Called from any thread.
using StoreFactory = std::function<Result<std::shared_ptr<SessionStore>>(StoreUrl, OpenOptions)>;

/// Makes `open_store("scheme:…")` call `factory`. A scheme is [a-z][a-z0-9+.-]*. Errors: invalid_argument
/// when it is malformed or taken. Thread-safe.
Result<void> register_scheme(std::string scheme, StoreFactory factory);

/// The schemes that open_store knows, sorted.
std::vector<std::string> registered_schemes();

/// Opens `memory:`, `file:DIR`, `jsondir:DIR` or a registered scheme, with options as query parameters that
/// win over `options`: `?durability=process|power|none`, `mode=ro|rw`, `create=true|false`,
/// `max_message=BYTES`, `max_session=BYTES`, `max_depth=N`, and the backend's own.
///
/// Does no I/O: what is wrong with the place shows in the first operation. Errors: invalid_argument for an
/// unknown scheme or parameter, unsupported for a durability the backend has not. Thread-safe.
Result<std::shared_ptr<SessionStore>> open_store(std::string_view url, OpenOptions options = OpenOptions());

}  // namespace sessile
