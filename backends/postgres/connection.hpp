// One connection to the server: libpq on Asio, in pipeline mode, blocking no thread.
#pragma once

#include "failure.hpp"
#include "settings.hpp"
#include "values.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/descriptor_base.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sessile::postgres {

/// How long the server may take to answer after it was asked to cancel a write.
inline constexpr std::chrono::seconds kAnswerAfterCancel{5};

enum class Intent { reads, writes };

/// The socket, as Asio waits for it. Shared with a timer that may go off when its user is gone.
class Wire;

/// What came back of commands that were sent together.
class Flight {
 public:
  Flight() {}
  std::vector<Reply> replies;      ///< of the commands before the first that failed
  std::optional<Failure> failure;  ///< of the first that failed
  bool sent = false;               ///< something may have reached the server
  bool warned = false;             ///< the server gave a warning with the last command's answer
  bool cancelling = false;         ///< the caller gave up, and the server was asked to
};

/// Used by one coroutine at a time, on a strand of the internal executor; may go from one strand to another
/// in between. Coroutines that use it must have throw_if_cancelled(false).
class Connection {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  class Opened {
   public:
    Opened() {}
    std::unique_ptr<Connection> connection;  // null: failed
    Failure failure;
    bool silent = false;     // a host did not answer in time: those behind it were not tried
    std::size_t passed = 0;  // how many hosts before that one were tried
  };
  /// Connects, to the `first` host of the target or one behind it. May block in name resolution.
  /// Cancellation: gives up.
  static asio::awaitable<Opened> open(asio::any_io_executor io, const Target& target, std::size_t first);

  /// Sends `commands` in one go and waits for the answers: one round trip. The first that fails keeps the
  /// rest from being run. What is sent ahead of a Sync must have short answers, but for the last.
  ///
  /// Cancellation: reads are given up at once. For writes the server is asked to cancel, and the flight
  /// then tells what it did; without an answer within kAnswerAfterCancel the connection is dropped.
  asio::awaitable<Flight> exchange(const Commands& commands, Intent intent);

  /// False when the server has gone, or left something half done. Does not wait.
  bool reusable() noexcept;
  /// True within a transaction that has not ended, failed or not.
  bool in_transaction() const noexcept;
  bool dropped() const noexcept { return dropped_; }
  /// True when it ended, or was given up, in a way that a server which crashed shows as well.
  bool lost() const noexcept;
  void drop() noexcept { dropped_ = true; }

 private:
  class Finish {
   public:
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  };
  using Handle = std::unique_ptr<PGconn, Finish>;
  /// A command's name to be prepared first, or the command itself.
  class Step {
   public:
    std::size_t command;
    bool prepares;
  };

  Connection(Handle handle, std::shared_ptr<Wire> wire, asio::any_io_executor io);
  /// Why it was given up; null: it has come to an end, good or not. `passed`: Opened's.
  static asio::awaitable<const char*> connect(PGconn* connection, asio::any_io_executor io,
                                              std::chrono::milliseconds per_host, std::size_t* passed);
  static void on_notice(void* self, const PGresult* notice);
  bool queue(const Commands& commands, std::vector<Step>& steps);
  asio::awaitable<bool> flush(Flight& flight, Intent intent);
  asio::awaitable<void> receive(const Commands& commands, const std::vector<Step>& steps, Flight& flight,
                                Intent intent);
  /// Waits until a result can be taken without blocking, or never will. False when given up.
  asio::awaitable<bool> result_ready(Flight& flight, Intent intent);
  asio::awaitable<bool> wait(asio::posix::descriptor_base::wait_type type, Flight& flight, Intent intent);
  void ask_to_cancel();
  void fail(Flight& flight, Failure::Cause cause, std::size_t at, std::string text = std::string());

  Handle handle_;
  const std::shared_ptr<Wire> wire_;
  const asio::any_io_executor io_;
  asio::steady_timer patience_;
  std::set<std::string> prepared_;
  bool broken_ = false;      // libpq reported an error of the socket
  bool dropped_ = false;     // not to be used again
  bool unanswered_ = false;  // something was sent, and not all of the answer has come
  bool farewell_ = false;    // the server said that it ends the connection
  bool warned_ = false;
};

}  // namespace sessile::postgres
