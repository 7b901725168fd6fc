#include "support/postgres_server.hpp"

#include "support/programs.hpp"

#include <sessile/ids.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace sessile::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Waits for the end of its input, that is for the test's end, then ends the server and removes its folder.
// A process is the server only if its working directory says so: the number in a stale file may be anybody's.
constexpr const char* kWatchdog = R"sh(
cat >/dev/null
file=$1/data/postmaster.pid
alive() { [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$1/data" ]; }
if [ -r "$file" ]; then
  pid=$(sed -n 1p "$file")
  memory=$(sed -n 7p "$file" | tr -s ' ' | cut -d ' ' -f 3)
  if alive "$1"; then kill -QUIT "$pid"; fi
  for i in $(seq 100); do alive "$1" || break; sleep 0.05; done
  if alive "$1"; then kill -KILL "$pid"; sleep 0.2; fi
  if [ -n "$memory" ]; then ipcrm -m "$memory" 2>/dev/null; fi
fi
rm -rf -- "$1"
)sh";

const passwd* unprivileged_user() {
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* found = ::getpwnam(name)) return found;
  }
  return nullptr;
}

// What a server's programs are started through: PostgreSQL refuses to run as root.
std::vector<std::string> as_unprivileged(std::vector<std::string> words) {
  if (::geteuid() != 0) return words;
  const passwd* user = unprivileged_user();
  std::vector<std::string> all = {"setpriv", "--reuid=" + std::to_string(user->pw_uid),
                                  "--regid=" + std::to_string(user->pw_gid), "--clear-groups", "--"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

bool has_server(const fs::path& directory) {
  for (const char* name : {"initdb", "postgres", "psql", "pg_basebackup"}) {
    if (::access((directory / name).c_str(), X_OK) != 0) return false;
  }
  return true;
}

// Debian keeps each version's programs in a folder of its own, outside of PATH. The newest is taken.
fs::path programs() {
  if (const char* given = std::getenv("SESSILE_POSTGRES_BIN")) return given;
  std::vector<std::pair<double, fs::path>> versions;
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator("/usr/lib/postgresql", absent)) {
    if (has_server(entry.path() / "bin"))
      versions.emplace_back(std::atof(entry.path().filename().c_str()), entry.path() / "bin");
  }
  if (!versions.empty()) return std::max_element(versions.begin(), versions.end())->second;
  std::istringstream path(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string directory; std::getline(path, directory, ':');) {
    if (has_server(directory)) return directory;
  }
  return {};
}

std::uint16_t free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(descriptor);
  if (!bound) throw std::runtime_error("cannot find a free port");
  return ntohs(address.sin_port);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'') text += '\'';
    text += c;
  }
  return text + '\'';
}

// The state letter and parent of a process; empty when it is gone.
std::pair<char, pid_t> state_of(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const std::size_t end = text.rfind(')');  // the name before it may hold anything
  if (end == std::string::npos) return {'X', 0};
  char state = 'X';
  pid_t parent = 0;
  std::istringstream(text.substr(end + 1)) >> state >> parent;
  return {state, parent};
}

bool is_gone(pid_t process) {
  const char state = state_of(process).first;
  return state == 'X' || state == 'Z';
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t process = static_cast<pid_t>(std::stol(name));
    if (state_of(process).second == parent) children.push_back(process);
  }
  return children;
}

template <class Condition>
bool wait_for(Condition holds, std::chrono::milliseconds deadline = 120s) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

}  // namespace

std::string why_no_postgres() {
  if (programs().empty())
    return "PostgreSQL's server is not installed (Debian: apt-get install postgresql); "
           "SESSILE_POSTGRES_BIN names the folder of its programs";
  if (::geteuid() == 0 && unprivileged_user() == nullptr)
    return "this is root, PostgreSQL refuses to run as root, and there is no user postgres or nobody";
  if (::geteuid() == 0 && run_program({"setpriv", "--version"}, {}).code != 0)
    return "this is root, PostgreSQL refuses to run as root, and setpriv (util-linux) is missing";
  return {};
}

fs::path PostgresServer::program(const std::string& name) {
  return programs() / name;
}

PostgresServer::PostgresServer(const Settings& settings) : password_("secret-" + SessionId::random().str()) {
  make_folder();
  std::ofstream(folder_ / "password") << password_ << '\n';
  // initdb's own syncs protect nothing here; the server's, later, do their work.
  run({program("initdb"), "--pgdata", data(), "--username", user_, "--pwfile", folder_ / "password",
       "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"});
  write_settings(settings);
  start_on_free_port();
}

PostgresServer::PostgresServer(const PostgresServer* primary) : password_(primary->password_) {
  make_folder();
  run({program("pg_basebackup"), "--pgdata", data(), "--write-recovery-conf", "--checkpoint=fast",
       "--no-sync", "--wal-method=stream", "--host", primary->folder_, "--port",
       std::to_string(primary->port_), "--username", primary->user_});
  write_settings(Settings());
  start_on_free_port();
}

PostgresServer::~PostgresServer() {
  if (postmaster_ > 0) {
    ::kill(postmaster_, SIGQUIT);
    reap();
  }
  ::close(watchdog_pipe_);
  wait_for_program(watchdog_);
}

void PostgresServer::make_folder() {
  if (const std::string reason = why_no_postgres(); !reason.empty()) throw std::runtime_error(reason);
  std::string pattern = (fs::temp_directory_path() / "sessile-pg-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  folder_ = pattern;
  start_watchdog();
  if (::geteuid() == 0) {
    const passwd* user = unprivileged_user();
    if (::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) fail("cannot give the folder away");
  }
}

void PostgresServer::start_watchdog() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  ProgramOptions options;
  options.input = ends[0];
  options.own_session = true;
  watchdog_ = start_program({"sh", "-c", kWatchdog, "watchdog", folder_}, options);
  ::close(ends[0]);
  watchdog_pipe_ = ends[1];
}

void PostgresServer::write_settings(const Settings& settings) {
  std::ofstream out(data() / "postgresql.conf", std::ios::app);
  out << "listen_addresses = '127.0.0.1'\n"
      << "unix_socket_directories = " << quoted(folder_)
      << '\n'
      // A kill -9 leaves no segment behind in /dev/shm.
      << "dynamic_shared_memory_type = mmap\n"
      // Recovery after a kill takes half a second instead of five: initdb left its files to the kernel.
      << "recovery_init_sync_method = syncfs\n";
  for (const auto& [name, value] : settings)
    out << name << " = " << quoted(value) << '\n';
  if (!out.flush()) fail("cannot write the settings");
}

// Someone else may take the port between our finding and the server's binding it.
void PostgresServer::start_on_free_port() {
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = free_port();
    if (try_start()) return;
  }
  fail("the server does not start");
}

void PostgresServer::start() {
  if (!try_start()) fail("the server does not start");
}

bool PostgresServer::try_start() {
  ProgramOptions options;
  options.log = log_file();
  options.own_session = true;
  postmaster_ = start_program(
      as_unprivileged({program("postgres"), "-D", data(), "-c", "port=" + std::to_string(port_)}), options);
  try {
    wait_until_ready();
    return true;
  } catch (const std::runtime_error&) {
    if (postmaster_ > 0) throw;
    return false;
  }
}

void PostgresServer::wait_until_ready() {
  const bool ready = wait_for([this] {
    int status = 0;
    if (::waitpid(postmaster_, &status, WNOHANG) == postmaster_) {
      postmaster_ = -1;
      return true;
    }
    // What pg_ctl waits for: the last line of the server's own file.
    const std::vector<std::string> lines = lines_of(data() / "postmaster.pid");
    if (lines.size() < 8 || lines[0] != std::to_string(postmaster_)) return false;
    if (!lines[7].starts_with("ready") && !lines[7].starts_with("standby")) return false;
    return run_program({program("pg_isready"), "-h", folder_, "-p", std::to_string(port_), "-U", user_}, {})
               .code == 0;
  });
  if (!ready || postmaster_ < 0) fail("the server is not ready");
}

void PostgresServer::reap() noexcept {
  wait_for_program(postmaster_);
  postmaster_ = -1;
}

void PostgresServer::stop() {
  ::kill(postmaster_, SIGINT);
  reap();
}

void PostgresServer::restart() {
  stop();
  start();
}

void PostgresServer::kill_all() {
  // Stopped first, so that it starts no process between our looking and our killing.
  ::kill(postmaster_, SIGSTOP);
  int status = 0;
  ::waitpid(postmaster_, &status, WUNTRACED);
  const std::vector<pid_t> children = children_of(postmaster_);
  for (const pid_t child : children)
    ::kill(child, SIGKILL);
  ::kill(postmaster_, SIGKILL);
  reap();
  const bool gone = wait_for([&] { return std::all_of(children.begin(), children.end(), is_gone); });
  if (!gone) fail("a killed process is still there");
}

void PostgresServer::kill_backend(pid_t backend) {
  if (state_of(backend).second != postmaster_) fail("that is no process of this server");
  ::kill(backend, SIGKILL);
}

std::unique_ptr<PostgresServer> PostgresServer::make_standby() {
  return std::unique_ptr<PostgresServer>(new PostgresServer(this));
}

void PostgresServer::replicate_synchronously(const std::string& level) {
  set("synchronous_commit", level);
  set("synchronous_standby_names", "*");
  if (!wait_for([this] {
        return query("select count(*) from pg_stat_replication where sync_state = 'sync'") == "1";
      }))
    fail("no standby is in step");
}

void PostgresServer::promote() {
  if (query("select pg_promote(true, 120)") != "t") fail("the standby was not promoted");
}

std::string PostgresServer::query(const std::string& sql, const std::string& database) const {
  Ended ended = run_program({program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", folder_, "-p",
                             std::to_string(port_), "-U", user_, "-d", database, "-c", sql},
                            log_file());
  if (ended.code != 0) fail("psql failed at: " + sql);
  while (!ended.out.empty() && ended.out.back() == '\n')
    ended.out.pop_back();
  return ended.out;
}

std::string PostgresServer::make_database() {
  const std::string name = "test_" + std::to_string(++databases_);
  query("create database " + name);
  return name;
}

void PostgresServer::set(const std::string& name, const std::string& value) {
  query("alter system set " + name + " = " + quoted(value));
  query("select pg_reload_conf()");
}

std::string PostgresServer::url(const std::string& database) const {
  return "postgres://" + user_ + ':' + password_ + "@127.0.0.1:" + std::to_string(port_) + '/' + database;
}

std::string PostgresServer::local_url(const std::string& database) const {
  return "postgres://" + user_ + "@/" + database + "?host=" + folder_.string() +
         "&port=" + std::to_string(port_);
}

void PostgresServer::run(std::vector<std::string> words) const {
  const std::string name = words[0];
  if (run_program(as_unprivileged(std::move(words)), log_file()).code != 0) fail(name + " failed");
}

void PostgresServer::fail(const std::string& what) const {
  const std::vector<std::string> lines = lines_of(log_file());
  std::string text = what + "; the end of its log:";
  for (std::size_t i = lines.size() < 15 ? 0 : lines.size() - 15; i < lines.size(); ++i)
    text += "\n  " + lines[i];
  throw std::runtime_error(text);
}

PostgresServer& shared_postgres() {
  static PostgresServer server;
  return server;
}

}  // namespace sessile::testing
