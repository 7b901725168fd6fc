// What one run measures: everything a worker process needs to know, in a form that crosses process borders.
#pragma once

#include <sessile/result.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sessile::bench {

namespace json = boost::json;

/// One run: one engine, one workload, one number of writers. All of it travels to the workers as JSON.
class RunConfig {
 public:
  RunConfig() {}

  std::string workload = "save";   ///< save, same, append, load, list_for_agent, contention, takeover
  std::string engine = "sessile";  ///< sessile, or a rival's name
  std::string store;               ///< the URL as it is opened; may hold credentials, never printed
  std::string shown_store;         ///< the URL as it is printed
  std::string lock;                ///< the primitive asked for; empty: the backend's own choice
  std::string waiting;             ///< the waiting strategy asked for; empty: the backend's own choice
  std::string durability;          ///< none, process, power; empty: the strongest the backend has
  std::string change = "whole";    ///< whole: every message differs from save to save; tail: only the last
  std::string drive = "threads";   ///< how a rival is called: threads, or pool (from coroutines)
  std::string operation =
      "save";         ///< contention: what a write is, save or update; takeover: see takeover.hpp
  std::string nonce;  ///< tells this run's sessions from all others
  std::uint64_t processes = 1;
  std::uint64_t writers = 1;         ///< in each process
  std::uint64_t threads = 0;         ///< of each process's executor; 0: as many as writers, at most the CPUs
  std::uint64_t sessions = 0;        ///< distinct sessions; 0: the workload's default
  std::uint64_t bytes = 0;           ///< of a session, or of an appended message; 0: the workload's default
  std::uint64_t base_bytes = 16384;  ///< append: the session's size before the first append
  std::uint64_t grow_bytes = 65536;  ///< append: a writer begins another session after this many bytes
  std::uint64_t agent_sessions = 100;  ///< list_for_agent: sessions of each agent
  std::uint64_t reads = 0;             ///< contention: loads, in per cent of the operations
  std::uint64_t think_us = 0;          ///< pause between a writer's operations, in microseconds
  std::uint64_t timeline = 0;          ///< how many operations to keep for a timeline
  std::uint64_t holds = 0;             ///< how many locks to keep the times of
  double seconds = 5;                  ///< the measured window
  double warm_up = 1;                  ///< before it, in seconds

  std::uint64_t all_writers() const noexcept { return processes * writers; }
  bool is_rival() const noexcept { return engine != "sessile"; }
  /// The defaults of the workload in the place of zeros.
  void fill_in_defaults() noexcept;

  json::object to_json() const;
  static RunConfig from_json(const json::object& object);

  /// Calls visit(name, member) for each of them: the one list of what travels.
  template <class Self, class Visit>
  static void each_member(Self& self, Visit&& visit) {
    visit("workload", self.workload);
    visit("engine", self.engine);
    visit("store", self.store);
    visit("shown_store", self.shown_store);
    visit("lock", self.lock);
    visit("waiting", self.waiting);
    visit("durability", self.durability);
    visit("change", self.change);
    visit("drive", self.drive);
    visit("nonce", self.nonce);
    visit("processes", self.processes);
    visit("writers", self.writers);
    visit("threads", self.threads);
    visit("sessions", self.sessions);
    visit("bytes", self.bytes);
    visit("base_bytes", self.base_bytes);
    visit("grow_bytes", self.grow_bytes);
    visit("agent_sessions", self.agent_sessions);
    visit("reads", self.reads);
    visit("think_us", self.think_us);
    visit("timeline", self.timeline);
    visit("holds", self.holds);
    visit("operation", self.operation);
    visit("seconds", self.seconds);
    visit("warm_up", self.warm_up);
  }
};

/// `url` without user and password, and without the values of parameters that look like secrets.
std::string without_credentials(std::string_view url);

/// `url` with `name=value` added to its query.
std::string with_parameter(std::string_view url, std::string_view name, std::string_view value);

/// True for the schemes that keep sessions in a directory: their runs get a directory of their own.
bool is_directory_url(std::string_view url) noexcept;

/// The directory of such a URL. Precondition: is_directory_url(url). Errors: invalid_argument.
Result<std::string> directory_of(std::string_view url);

/// `url` pointing at the subdirectory `name`. Precondition: is_directory_url(url).
std::string in_subdirectory(std::string_view url, std::string_view name);

}  // namespace sessile::bench
