#include "connection.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace sessile::postgres {

using boost::system::error_code;
using Wait = asio::posix::descriptor_base;

class Wire {
 public:
  explicit Wire(const asio::any_io_executor& io) : descriptor(io) {}
  ~Wire() { let_go(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// Waits for libpq's own descriptor until let_go(). libpq must not be called in between: it may close it.
  bool borrow(int socket) {
    error_code failed;
    descriptor.assign(socket, failed);
    borrowed_ = !failed;
    return borrowed_;
  }
  /// Waits for a duplicate: libpq may close its own at any time, and the number be another file's then.
  bool duplicate(int socket) {
    const int copy = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return false;
    error_code failed;
    descriptor.assign(copy, failed);
    if (failed) ::close(copy);
    return !failed;
  }
  void let_go() {
    if (borrowed_) descriptor.release();
    borrowed_ = false;
  }

  asio::posix::stream_descriptor descriptor;
  bool expired = false;

 private:
  bool borrowed_ = false;
};

namespace {

asio::awaitable<bool> is_cancelled() {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

constexpr int kMostRequests = 16;  // to cancel, at a time
constexpr const char* kSilent = "the server did not answer in time";
constexpr const char* kNotSetUp = "the connection cannot be set up";

/// Makes `timer` end the waits on `wire`. The handler runs on `strand`, the waiting coroutine's.
void limit_waits(asio::steady_timer& timer, std::chrono::milliseconds limit, std::shared_ptr<Wire> wire,
                 const asio::any_io_executor& strand) {
  timer.expires_after(limit);
  timer.async_wait(asio::bind_executor(strand, [wire = std::move(wire)](const error_code& stopped) {
    if (stopped) return;
    error_code ignored;
    wire->expired = true;
    wire->descriptor.cancel(ignored);
  }));
}

/// Which host an attempt to connect has come to.
std::string host_of(const PGconn* connection) {
  const char* const host = PQhost(connection);
  const char* const port = PQport(connection);
  return std::string(host ? host : "") + ' ' + (port ? port : "");
}

bool is_state(std::string_view text) noexcept {
  return text.size() == 5 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

/// The server's last SQLSTATE in what libpq says of a failed connection, at PQERRORS_SQLSTATE.
std::string state_in(std::string_view text) {
  std::string state;
  for (std::size_t at = text.find(":  "); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const std::string_view word = text.substr(at + 3, 5);
    if (is_state(word)) state = word;
  }
  return state;
}

/// Our own words for what libpq says: its own name hosts, and, of a string taken apart wrongly, secrets.
std::string_view reason_in(std::string_view text) noexcept {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kReasons = {{
      {"refused", "the server cannot be reached: connection refused"},
      {"translate host", "the server's name cannot be resolved"},
      {"No such file", "the server's socket is not there"},
      {"read-only", "no server of the connection string accepts writes"},
      {"standby", "no server of the connection string is in the role asked for"},
      {"no password supplied", "the server asks for a password and none is given"},
      {"SSL", "the TLS connection to the server failed"},
  }};
  for (const auto& [words, reason] : kReasons) {
    if (text.find(words) != std::string_view::npos) return reason;
  }
  return "the server cannot be reached";
}

/// Text goes in and comes out as it is in no other encoding.
bool speaks_utf8(const PGconn* connection) {
  const char* const encoding = PQparameterStatus(connection, "server_encoding");
  return encoding != nullptr && std::string_view(encoding) == "UTF8";
}

Failure failure_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  // Without a SQLSTATE it is libpq's own: the connection broke.
  if (state == nullptr) return Failure(Failure::Cause::connection, std::string(), std::string());
  return Failure(Failure::Cause::server, state, words ? words : "");
}

}  // namespace

Connection::Connection(Handle handle, std::shared_ptr<Wire> wire, asio::any_io_executor io)
    : handle_(std::move(handle)), wire_(std::move(wire)), io_(std::move(io)), patience_(io_) {
  PQsetNoticeReceiver(handle_.get(), &Connection::on_notice, this);
}

Connection::~Connection() {
  error_code ignored;
  wire_->descriptor.close(ignored);
}

void Connection::on_notice(void* self, const PGresult* notice) {
  const char* const field = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const std::string_view severity = field ? field : "";
  Connection& connection = *static_cast<Connection*>(self);
  if (severity == "WARNING") connection.warned_ = true;
  // libpq takes the farewell on an idle connection for a notice; the end of the stream comes a moment later.
  if (severity == "FATAL" || severity == "PANIC") connection.dropped_ = connection.farewell_ = true;
}

asio::awaitable<const char*> Connection::connect(PGconn* connection, asio::any_io_executor io,
                                                 std::chrono::milliseconds per_host, std::size_t* passed) {
  auto wire = std::make_shared<Wire>(io);
  asio::steady_timer timer(io);
  std::string host;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next == PGRES_POLLING_WRITING || next == PGRES_POLLING_READING) {
    if (std::string now = host_of(connection); now != host) {
      *passed += host.empty() ? 0 : 1;
      host = std::move(now);
      limit_waits(timer, per_host, wire, co_await asio::this_coro::executor);
    }
    error_code failed;
    if (!wire->borrow(PQsocket(connection))) co_return kNotSetUp;
    co_await wire->descriptor.async_wait(next == PGRES_POLLING_WRITING ? Wait::wait_write : Wait::wait_read,
                                         asio::redirect_error(asio::use_awaitable, failed));
    wire->let_go();
    const bool cancelled = co_await is_cancelled();
    if (wire->expired || cancelled) co_return kSilent;
    next = PQconnectPoll(connection);
  }
  timer.cancel();
  co_return nullptr;
}

asio::awaitable<Connection::Opened> Connection::open(asio::any_io_executor io, const Target& target,
                                                     std::size_t first) {
  Opened opened;
  // Only what differs from what libpq finds by itself.
  const auto list = [&](const std::string& all) {
    return first % target.hosts == 0 ? std::string() : target.list_from(all, first);
  };
  const std::string host = list(target.host), hostaddr = list(target.hostaddr), port = list(target.port);
  // Before `dbname`: defaults that the connection string may change. After it: what must be so. An empty one
  // counts as not given.
  const char* const keywords[] = {"keepalives_idle",
                                  "keepalives_interval",
                                  "keepalives_count",
                                  "tcp_user_timeout",
                                  "fallback_application_name",
                                  "dbname",
                                  "client_encoding",
                                  "host",
                                  "hostaddr",
                                  "port",
                                  nullptr};
  const char* const values[] = {"15",         "5",          "3",
                                "15000",      "sessile",    target.connection.c_str(),
                                "UTF8",       host.c_str(), hostaddr.c_str(),
                                port.c_str(), nullptr};
  Handle handle(PQconnectStartParams(keywords, values, 1));
  if (handle == nullptr || PQstatus(handle.get()) == CONNECTION_BAD) {
    opened.failure.text = reason_in(handle ? PQerrorMessage(handle.get()) : "");
    co_return opened;
  }
  PQsetErrorVerbosity(handle.get(), PQERRORS_SQLSTATE);
  // Else libpq prints what the server remarks on stderr.
  PQsetNoticeReceiver(
      handle.get(), [](void*, const PGresult*) {}, nullptr);
  const char* const given_up = co_await connect(handle.get(), io, target.per_host, &opened.passed);
  const bool cancelled = co_await is_cancelled();
  if (cancelled) {
    opened.failure.cause = Failure::Cause::cancelled;
  } else if (given_up != nullptr) {
    opened.failure.text = given_up;
    opened.silent = given_up == kSilent;
  } else if (PQstatus(handle.get()) != CONNECTION_OK) {
    const char* const said = PQerrorMessage(handle.get());
    opened.failure.state = state_in(said);
    if (!opened.failure.state.empty()) opened.failure.cause = Failure::Cause::server;
    if (opened.failure.state.empty()) opened.failure.text = reason_in(said);
  } else if (!speaks_utf8(handle.get())) {
    opened.failure = Failure(Failure::Cause::server, std::string(sqlstate::kNotInEncoding), std::string());
  } else {
    auto wire = std::make_shared<Wire>(io);
    if (PQsetnonblocking(handle.get(), 1) != 0 || PQenterPipelineMode(handle.get()) != 1 ||
        !wire->duplicate(PQsocket(handle.get()))) {
      opened.failure.text = kNotSetUp;
      co_return opened;
    }
    opened.connection.reset(new Connection(std::move(handle), std::move(wire), std::move(io)));
  }
  co_return opened;
}

bool Connection::queue(const Commands& commands, std::vector<Step>& steps) {
  PGconn* const handle = handle_.get();
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const Statement& statement = *commands[i].statement;
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> sizes;
    for (const Parameter& parameter : commands[i].parameters) {
      types.push_back(parameter.type());
      values.push_back(parameter.data());
      sizes.push_back(parameter.size());
    }
    const std::vector<int> formats(types.size(), 1);
    const int count = static_cast<int>(types.size());
    const bool named = !statement.name.empty();
    if (named && !prepared_.contains(statement.name)) {
      if (!PQsendPrepare(handle, statement.name.c_str(), statement.text.c_str(), count, types.data()))
        return false;
      steps.push_back(Step{i, true});
    }
    const int queued = named ? PQsendQueryPrepared(handle, statement.name.c_str(), count, values.data(),
                                                   sizes.data(), formats.data(), 1)
                             : PQsendQueryParams(handle, statement.text.c_str(), count, types.data(),
                                                 values.data(), sizes.data(), formats.data(), 1);
    if (!queued) return false;
    steps.push_back(Step{i, false});
  }
  return true;
}

asio::awaitable<Flight> Connection::exchange(const Commands& commands, Intent intent) {
  Flight flight;
  std::vector<Step> steps;
  warned_ = false;
  // The last command decides what happens: until all is queued, dropping the connection undoes it.
  if (broken_ || !queue(commands, steps)) {
    fail(flight, Failure::Cause::connection, 0);
    co_return flight;
  }
  flight.sent = true;
  unanswered_ = true;
  if (!PQpipelineSync(handle_.get())) broken_ = true;
  const bool flushed = co_await flush(flight, intent);
  if (flushed) co_await receive(commands, steps, flight, intent);
  if (!flushed) fail(flight, Failure::Cause::silence, 0);
  if (flight.cancelling) dropped_ = true;  // the request to cancel must not meet a later statement
  patience_.cancel();
  flight.warned = warned_;
  co_return flight;
}

asio::awaitable<bool> Connection::flush(Flight& flight, Intent intent) {
  while (!broken_) {
    const int left = PQflush(handle_.get());
    if (left == 0) break;
    if (left < 0) broken_ = true;
    if (left > 0) {
      const bool ready = co_await wait(Wait::wait_write, flight, intent);
      if (!ready) co_return false;
    }
  }
  co_return true;
}

asio::awaitable<void> Connection::receive(const Commands& commands, const std::vector<Step>& steps,
                                          Flight& flight, Intent intent) {
  PGconn* const handle = handle_.get();
  for (const Step& step : steps) {
    // Only of a commit, which comes last, a warning tells something of its outcome.
    if (&step == &steps.back()) warned_ = false;
    bool ready = co_await result_ready(flight, intent);
    if (!ready) co_return fail(flight, Failure::Cause::silence, step.command);
    PGresult* const result = PQgetResult(handle);
    if (result == nullptr) co_return fail(flight, Failure::Cause::connection, step.command);
    Reply reply(result);
    const ExecStatusType status = PQresultStatus(result);
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (good && step.prepares) prepared_.insert(commands[step.command].statement->name);
    if (good && !step.prepares && !flight.failure) flight.replies.push_back(std::move(reply));
    if (!good && !flight.failure) {
      flight.failure = failure_of(result);
      flight.failure->at = step.command;
    }
    if (PQstatus(handle) == CONNECTION_BAD && flight.failure)
      co_return fail(flight, Failure::Cause::connection, 0);
    ready = co_await result_ready(flight, intent);
    if (!ready) co_return fail(flight, Failure::Cause::silence, step.command + 1);
    Reply none(PQgetResult(handle));
  }
  const bool ready = co_await result_ready(flight, intent);
  if (!ready) dropped_ = true;
  if (!ready) co_return;
  const Reply synced(PQgetResult(handle));
  unanswered_ = false;
  if (PQstatus(handle) == CONNECTION_BAD) dropped_ = true;
}

asio::awaitable<bool> Connection::result_ready(Flight& flight, Intent intent) {
  while (!broken_ && PQisBusy(handle_.get())) {
    const bool ready = co_await wait(Wait::wait_read, flight, intent);
    if (!ready) co_return false;
    // What came before the end is still to be had.
    if (!PQconsumeInput(handle_.get())) broken_ = true;
  }
  co_return true;
}

asio::awaitable<bool> Connection::wait(Wait::wait_type type, Flight& flight, Intent intent) {
  for (;;) {
    const bool cancelled = co_await is_cancelled();
    if (cancelled && !flight.cancelling) {
      flight.cancelling = true;
      ask_to_cancel();
      if (intent == Intent::reads) co_return false;
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      limit_waits(patience_, kAnswerAfterCancel, wire_, co_await asio::this_coro::executor);
    }
    error_code failed;
    co_await wire_->descriptor.async_wait(type, asio::redirect_error(asio::use_awaitable, failed));
    if (wire_->expired) co_return false;
    if (!failed) co_return true;
    const bool given_up = co_await is_cancelled();
    if (given_up) continue;
    broken_ = true;
    co_return true;
  }
}

/// PQcancel makes a connection of its own and waits for its end, without a bound where the server's kernel
/// answers and the server does not. So not on the pool, whose threads would all be gone soon, and which waits
/// for its work when the program ends. Without a request the server goes on until its own timeouts.
void Connection::ask_to_cancel() {
  static std::atomic<int> under_way = 0;
  std::shared_ptr<PGcancel> request(PQgetCancel(handle_.get()), PQfreeCancel);
  if (request == nullptr) return;
  if (under_way.fetch_add(1) < kMostRequests) {
    try {
      std::thread([request = std::move(request)] {
        std::array<char, 256> words;
        PQcancel(request.get(), words.data(), static_cast<int>(words.size()));
        --under_way;
      }).detach();
      return;
    } catch (const std::system_error&) {
      // No thread is to be had.
    }
  }
  --under_way;
}

void Connection::fail(Flight& flight, Failure::Cause cause, std::size_t at, std::string text) {
  dropped_ = true;
  if (flight.failure) return;
  if (cause == Failure::Cause::silence && flight.cancelling && !wire_->expired)
    cause = Failure::Cause::cancelled;
  flight.failure = Failure(cause, std::string(), std::move(text));
  flight.failure->at = at;
}

bool Connection::in_transaction() const noexcept {
  const PGTransactionStatusType status = PQtransactionStatus(handle_.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

bool Connection::lost() const noexcept {
  return broken_ || farewell_ || unanswered_ || PQstatus(handle_.get()) != CONNECTION_OK;
}

bool Connection::reusable() noexcept {
  if (dropped_ || broken_ || PQstatus(handle_.get()) != CONNECTION_OK) return false;
  if (PQtransactionStatus(handle_.get()) != PQTRANS_IDLE) return false;
  // An idle connection has nothing to read but notices, and the server's farewell.
  for (int notices = 0; notices < 8; ++notices) {
    pollfd ready{PQsocket(handle_.get()), POLLIN, 0};
    if (::poll(&ready, 1, 0) == 0) return true;
    if (!PQconsumeInput(handle_.get())) return false;
    if (PQisBusy(handle_.get()) || dropped_ || PQstatus(handle_.get()) != CONNECTION_OK) return false;
  }
  return false;
}

}  // namespace sessile::postgres
