// Writers that keep account of what they were told, to be compared with what is stored.
#pragma once

#include <sessile/sessile.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sessile::testing {

/// What the comparison of the accounts with the store found.
class Tally {
 public:
  Tally() {}
  std::uint64_t acknowledged = 0;
  std::uint64_t acknowledged_lost = 0;  ///< told that it is there, and it is not
  std::uint64_t twice = 0;              ///< there more than once
  std::uint64_t failed = 0;             ///< told that nothing happened
  std::uint64_t failed_there = 0;       ///< and it is there
  std::uint64_t indeterminate = 0;
  std::uint64_t indeterminate_there = 0;
  std::uint64_t settled_by_key = 0;  ///< were indeterminate, and a retry with the key was acknowledged
  std::uint64_t strangers = 0;       ///< there, and nobody wrote it
  std::map<std::string, std::uint64_t> failures;  ///< by their code
  std::vector<std::string> messages;              ///< of different failures, for a look at what they say
  /// One line for people.
  std::string text() const;
};

/// Threads that append numbered messages, each to a session of its own, every second one with an idempotency
/// key; one whose outcome is not known is repeated with its key until it is.
class Writers {
 public:
  /// Makes the sessions, and starts. Throws SystemError when a session cannot be made.
  Writers(std::shared_ptr<SessionStore> store, int count, const std::string& prefix);
  ~Writers() { stop(); }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void stop();
  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  /// Waits, at most two minutes, until `more` further appends of each writer were acknowledged.
  bool progress(std::uint64_t more) const;
  /// After stop(): compares with what `truth` has.
  Tally compare(SessionStore& truth) const;

 private:
  class Account {
   public:
    SessionId id;
    std::vector<std::int64_t> acknowledged, failed, open;
    std::uint64_t settled_by_key = 0;
    std::map<std::string, std::uint64_t> failures;
    std::map<std::string, std::string> messages;
    std::atomic<std::uint64_t> count{0};
    std::thread thread;
  };
  void write(Account& account);
  void write_one(Account& account, std::int64_t number);
  void note_failure(Account& account, const Error& error);

  const std::shared_ptr<SessionStore> store_;
  std::vector<std::unique_ptr<Account>> accounts_;
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> acknowledged_{0};
};

}  // namespace sessile::testing
