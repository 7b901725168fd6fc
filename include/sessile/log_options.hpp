// How the logs beside the sessions (SessionLog, MemoryLog) are kept.
#pragma once

#include <sessile/capabilities.hpp>
#include <sessile/lock_options.hpp>
#include <sessile/options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace sessile {

namespace asio = boost::asio;

/// timeout() bounds each operation, as CommonOptions says.
class LogOptions : public detail::CommonOptions<LogOptions> {
 public:
  LogOptions() {}
  /// What an acknowledged write survives: process or power (the default). none is refused with
  /// invalid_argument by the first operation.
  LogOptions& durability(Durability value) noexcept { return durability_ = value, *this; }
  LogOptions& lock(LockOptions value) noexcept { return lock_ = value, *this; }
  /// Limits::message_bytes bounds one turn or item, Limits::session_bytes the whole log.
  LogOptions& limits(Limits value) noexcept { return limits_ = value, *this; }
  /// Gives turns and items their time.
  LogOptions& clock(std::shared_ptr<const Clock> value) { return clock_ = std::move(value), *this; }
  /// Runs the file work here instead of on the process-wide pool; as OpenOptions::executor.
  LogOptions& executor(asio::any_io_executor value) { return executor_ = std::move(value), *this; }

  Durability durability() const noexcept { return durability_; }
  const LockOptions& lock() const noexcept { return lock_; }
  const Limits& limits() const noexcept { return limits_; }
  const std::shared_ptr<const Clock>& clock() const noexcept { return clock_; }
  const asio::any_io_executor& executor() const noexcept { return executor_; }

 private:
  Durability durability_ = Durability::power;
  LockOptions lock_;
  Limits limits_;
  std::shared_ptr<const Clock> clock_ = system_clock();
  asio::any_io_executor executor_;
};

}  // namespace sessile
