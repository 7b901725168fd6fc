// What is crashed: a store with a few operations, and how to tell whether it is well afterwards.
#pragma once

#include "simulated_file_system.hpp"

#include <sessile/options.hpp>
#include <sessile/result.hpp>
#include <sessile/verify.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sessile::crash {

/// What is stored of one object, as text: kAbsent, "corrupt: …" for what cannot be read, else its content.
/// One that is expected may end in `@?`: any revision will do.
using State = std::string;
inline const State kAbsent = "absent";
inline const State kCorrupt = "corrupt";

bool matches(const State& expected, const State& found);

enum class Outcome {
  done,           ///< acknowledged
  failed,         ///< an error that says that nothing changed
  indeterminate,  ///< it may have happened
};

/// What an operation did to one object.
class Effect {
 public:
  Effect() {}
  std::string object;  ///< empty: to all of them (flush)
  Durability durability = Durability::power;
  Outcome outcome = Outcome::done;
  State state;           ///< of the object afterwards, if it happened
  State halfway;         ///< a state in between that is in order, when there is one
  std::uint64_t id = 0;  ///< that was given out, 0: none
  std::string error;     ///< of a failure: its code and text
  Errc code = Errc::io;  ///< of a failure
};

/// What a store that was opened anew says.
class Observation {
 public:
  Observation() {}
  std::map<std::string, State> objects;
  std::set<std::string> unlisted;  ///< objects that are there, and missing in a listing
  std::string problem;             ///< what is wrong whatever was written before; empty: nothing
  std::string damage;              ///< what verify found though all could be read; empty: nothing
  std::uint64_t next_id = 0;       ///< that was given out by the write after the crash; 0: none are
  std::string written;             ///< the object that was written after the crash; empty: none of these
};

/// Runs coroutines on the calling thread; the stores under test do their blocking work there as well.
class Runner {
 public:
  asio::any_io_executor executor() { return context_.get_executor(); }

  template <class T>
  Result<T> run(Async<T> operation) {
    std::optional<Result<T>> outcome;
    std::exception_ptr failure;
    asio::co_spawn(context_, std::move(operation), [&](std::exception_ptr thrown, Result<T> result) {
      failure = thrown;
      outcome.emplace(std::move(result));
    });
    finish();
    if (failure) std::rethrow_exception(failure);
    return std::move(*outcome);
  }
  /// What was posted by destructors.
  void finish() {
    context_.run();
    context_.restart();
  }

 private:
  asio::io_context context_{1};
};

/// One store under test. Used by one thread.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::string name() const = 0;
  virtual std::vector<std::string> operations() const = 0;
  /// The starts that are worth while; each is a sequence of operations that all succeeded, all of it durable.
  virtual std::map<std::string, std::vector<std::string>> starts() const = 0;

  /// Opens the store on a machine, which must outlive it: until the next call of open or close.
  virtual void open(Machine& machine) = 0;
  virtual void close() = 0;

  /// Begins the history anew: nothing was ever written.
  virtual void forget() = 0;
  virtual Effect run(const std::string& operation) = 0;
  /// After an operation whose outcome is not known: says what turned out to be there. False: it is neither.
  virtual bool adopt(const std::string& object, const State& found) = 0;
  /// What was written last, as the test knows it.
  virtual std::map<std::string, State> expected() const = 0;

  virtual Observation observe() = 0;
  /// What `verify` finds that a crash may not leave; empty: nothing.
  virtual std::string verify() = 0;
  /// Writes again what an agent would after a crash, reads it back, and looks at what is left in the
  /// directories. Fills in problem, next_id and written.
  virtual void write_again(Observation& observation) = 0;
  virtual bool writes_again_durably() const { return true; }
  /// An operation that adds a record to a log that start "kept" has made; empty: there is no log.
  virtual std::string write_to_a_log() const { return {}; }
  /// How many operations so far put a new file in the place of an old log.
  virtual std::uint64_t compactions() const { return 0; }
  /// What a store may be like that lost its power after writes that promised less.
  virtual bool is_damage(const State& state) const { return state.starts_with(kCorrupt); }
};

std::unique_ptr<Subject> make_filesystem_subject();
std::unique_ptr<Subject> make_json_directory_subject();
std::unique_ptr<Subject> make_document_subject();
std::unique_ptr<Subject> make_memory_subject(Durability durability);
std::unique_ptr<Subject> make_session_log_subject(Durability durability);
/// All of them.
std::vector<std::unique_ptr<Subject>> make_subjects();

/// Fills in the outcome of a failed operation.
void set_failure(Effect& effect, const Error& error);

/// The names of temporary files in a directory of the disk and below it.
std::vector<std::string> temporary_files(const Disk& disk);

/// What of a report is damage, which no crash may leave; empty: nothing.
std::string damage_in(const Result<VerifyReport>& report);

}  // namespace sessile::crash
