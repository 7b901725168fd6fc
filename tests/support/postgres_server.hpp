// A PostgreSQL server of a test's own: made in a scratch folder, gone with the test, however that ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sessile::testing {

/// Why no server can run here ("initdb is not installed …"); empty when one can.
std::string why_no_postgres();

/// What a test program returns when it was skipped: CTest's SKIP_RETURN_CODE.
inline constexpr int kSkipped = 77;

/// A server, running from its construction on, unless a test stops it.
///
/// It listens on a port of its own of 127.0.0.1, where the password is asked for, and on a Unix socket in its
/// scratch folder, where none is. It never runs as root: root starts it as `postgres` or `nobody`. fsync is
/// on and every other setting is PostgreSQL's own default, but for those given and shared memory, which is in
/// the scratch folder. A watchdog process ends it and removes the folder when this object goes or this
/// process dies, kill -9 included.
///
/// Members throw std::runtime_error with the end of the server's log when something does not work. Not
/// thread-safe, but for url, local_url and query.
class PostgresServer {
 public:
  using Settings = std::map<std::string, std::string>;  ///< as in postgresql.conf, values unquoted

  explicit PostgresServer(const Settings& settings = Settings());
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// A hot standby that streams from this server; it has its own port, socket, folder and watchdog. Commits
  /// here do not wait for it, see wait_for_standby.
  std::unique_ptr<PostgresServer> make_standby();

  /// From now on a commit is acknowledged once `level` (PostgreSQL's synchronous_commit: "on",
  /// "remote_apply") holds on the standbys too. Returns when one is connected and in step.
  void replicate_synchronously(const std::string& level = "on");

  /// Makes a standby a primary. Returns when it takes writes.
  void promote();

  void start();
  /// Fast shutdown: open transactions are rolled back, connections closed.
  void stop();
  void restart();
  /// kill -9 of all its processes at once, as a machine that dies. start() recovers.
  void kill_all();
  /// kill -9 of one backend process: the server then ends all connections and recovers by itself.
  void kill_backend(pid_t backend);
  bool is_running() const noexcept { return postmaster_ > 0; }
  /// Returns when the server accepts connections. Bounded by two minutes.
  void wait_until_ready();

  /// What psql prints for `sql`, unaligned, without headings; over the Unix socket.
  std::string query(const std::string& sql, const std::string& database = "postgres") const;
  /// A new, empty database; returns its name.
  std::string make_database();
  /// Changes a setting for good and reloads the configuration.
  void set(const std::string& name, const std::string& value);

  /// postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE
  std::string url(const std::string& database = "postgres") const;
  /// postgres://USER@/DATABASE?host=SOCKET_DIRECTORY&port=PORT
  std::string local_url(const std::string& database = "postgres") const;
  const std::string& user() const noexcept { return user_; }
  const std::string& password() const noexcept { return password_; }
  std::uint16_t port() const noexcept { return port_; }
  const std::filesystem::path& socket_directory() const noexcept { return folder_; }
  std::filesystem::path log_file() const { return folder_ / "log"; }
  /// The server's own programs: pgbench, psql.
  static std::filesystem::path program(const std::string& name);

 private:
  explicit PostgresServer(const PostgresServer* primary);  // its standby

  void make_folder();
  void start_watchdog();
  void write_settings(const Settings& settings);
  void start_on_free_port();
  bool try_start();
  void reap() noexcept;
  void run(std::vector<std::string> words) const;
  std::filesystem::path data() const { return folder_ / "data"; }
  [[noreturn]] void fail(const std::string& what) const;

  const std::string user_ = "sessile";
  std::string password_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t postmaster_ = -1;
  pid_t watchdog_ = -1;
  int watchdog_pipe_ = -1;  // its other end is the watchdog's stdin: our death closes it
  int databases_ = 0;
};

/// The server that all tests of this program share, made when it is first asked for.
PostgresServer& shared_postgres();

}  // namespace sessile::testing
