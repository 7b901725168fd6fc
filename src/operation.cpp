#include "operation.hpp"

#include "storage/deadline.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sessile::detail {

namespace {

/// Joins an operation's own cancellation with its caller's and with its timeout. Used on one strand only, but
/// for construction and timed_out after the operation ended.
class Cancellation {
 public:
  explicit Cancellation(const asio::any_io_executor& strand) : timer(strand) {}
  asio::cancellation_signal signal;
  asio::steady_timer timer;
  std::atomic<bool> timed_out = false;  // read by the caller, elsewhere
};

asio::awaitable<void> run_in_own_state(std::shared_ptr<Cancellation> cancellation,
                                       std::chrono::milliseconds timeout, asio::awaitable<void> body) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  const auto deadline = timeout.count() > 0 ? storage::deadline_after(timeout) : std::nullopt;
  if (deadline) {
    cancellation->timer.expires_at(*deadline);
    cancellation->timer.async_wait([cancellation](const boost::system::error_code& stopped) {
      if (stopped) return;
      cancellation->timed_out = true;
      cancellation->signal.emit(asio::cancellation_type::total);
    });
  }
  co_await std::move(body);
  cancellation->timer.cancel();
}

/// Takes the handler out of the caller's slot again, however the operation ends.
class SlotGuard {
 public:
  explicit SlotGuard(asio::cancellation_slot slot) noexcept : slot_(slot) {}
  SlotGuard(const SlotGuard&) = delete;
  SlotGuard& operator=(const SlotGuard&) = delete;
  ~SlotGuard() {
    if (slot_.is_connected()) slot_.clear();
  }

 private:
  asio::cancellation_slot slot_;
};

}  // namespace

asio::awaitable<bool> isolate(asio::cancellation_state callers, std::chrono::milliseconds timeout,
                              asio::awaitable<void> body) {
  const asio::any_io_executor home = co_await asio::this_coro::executor;
  const asio::any_io_executor strand = asio::make_strand(home);
  auto cancellation = std::make_shared<Cancellation>(strand);
  asio::cancellation_slot slot = callers.slot();
  const SlotGuard guard(slot);
  if (slot.is_connected()) {
    slot.assign([cancellation, strand](asio::cancellation_type) {
      asio::dispatch(strand, [cancellation] { cancellation->signal.emit(asio::cancellation_type::total); });
    });
  }
  auto own = run_in_own_state(cancellation, timeout, std::move(body));
  auto token = asio::bind_cancellation_slot(cancellation->signal.slot(), asio::use_awaitable);
  co_await asio::co_spawn(strand, std::move(own), token);
  co_return cancellation->timed_out;
}

Error annotated(Error error, const Call& call, const StoreCore& core) {
  if (error.operation().empty()) error.with_operation(call.operation);
  if (error.backend().empty()) error.with_backend(core.capabilities.backend);
  if (error.key().empty() && !call.key.empty()) error.with_key(call.key);
  return error;
}

void tell_observer(const StoreCore& core, const Call& call, std::chrono::steady_clock::time_point started,
                   std::uint64_t bytes, const Error* failure) noexcept {
  try {
    OperationEvent event;
    event.operation = call.operation;
    event.backend = core.capabilities.backend;
    event.key = call.key;
    event.duration = std::chrono::steady_clock::now() - started;
    event.bytes = bytes;
    event.failure = failure;
    core.options.observer()(event);
  } catch (...) {
    // An observer's failure is not the operation's.
  }
}

}  // namespace sessile::detail
