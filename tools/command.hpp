// What the subcommands of `sessile` share: options, the store, exit codes.
#pragma once

#include "output.hpp"

#include <sessile/functions.hpp>
#include <sessile/store.hpp>
#include <sessile/wait.hpp>

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace sessile::tools {

/// The exit codes: part of the command's interface.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kConflict = 4,
  kLocked = 5,
  kCorrupt = 6,
};

ExitCode exit_code(Errc code) noexcept;

/// An error of the command line itself: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One call of the command. Outlives the action that runs.
class Call {
 public:
  std::string store_url;
  std::string durability;
  std::uint64_t timeout_ms = 0;
  bool json = false;
  std::function<int()> action;  ///< set by the subcommand that was named

  /// Opens the store. Throws UsageError when the URL or its options are wrong, or there is none.
  StorePtr open() const;
  StorePtr open(const std::string& url) const;
  Result<StorePtr> try_open(const std::string& url, OpenOptions options) const;

  /// `options` with --timeout.
  template <class Options>
  Options with_timeout(Options options) const {
    return options.timeout(std::chrono::milliseconds(timeout_ms));
  }

  /// Prints an error and returns its exit code.
  int fail(const Error& error) const;
};

// Each adds its subcommand. `call` outlives `app`.
void add_ls(CLI::App& app, Call& call);
void add_show(CLI::App& app, Call& call);
void add_save(CLI::App& app, Call& call);
void add_append(CLI::App& app, Call& call);
void add_rm(CLI::App& app, Call& call);
void add_import(CLI::App& app, Call& call);
void add_export(CLI::App& app, Call& call);
void add_copy(CLI::App& app, Call& call);
void add_conformance(CLI::App& app, Call& call);
void add_prune(CLI::App& app, Call& call);
void add_memory(CLI::App& app, Call& call);
void add_log(CLI::App& app, Call& call);
void add_verify(CLI::App& app, Call& call);

}  // namespace sessile::tools
