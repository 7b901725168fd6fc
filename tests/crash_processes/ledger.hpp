// Writers that may die at any moment, and what must be found after them.
#pragma once

#include <sessile/store.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sessile::crash {

using StorePtr = std::shared_ptr<SessionStore>;

inline constexpr int kMostWriters = 4;

/// Account::revision when it was not noted.
inline constexpr std::uint64_t kUnknownRevision = ~std::uint64_t{0};

/// What one writer has begun and what was acknowledged to it. It lives in memory shared with the parent, so
/// that it outlasts the writer. Invariant: acknowledged <= started.
class Account {
 public:
  Account() {}
  std::atomic<std::uint64_t> started{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> revision{0};  ///< that the last acknowledged operation returned; 0: it removed
  std::atomic<std::uint64_t> appends_started{0};
  std::atomic<std::uint64_t> appends_acknowledged{0};
};

/// The acknowledgements up to one moment. A file system that was shut down may still answer a sync with
/// success (XFS does, of a directory): what is acknowledged after the power went is no promise.
class Acknowledged {
 public:
  explicit Acknowledged(const Account& account) noexcept
      : operations(account.acknowledged), appends(account.appends_acknowledged) {}
  /// Forgets the later ones. The writer must be dead.
  void put_back(Account& account) const noexcept;

  std::uint64_t operations;
  std::uint64_t appends;
};

class Ledger {
 public:
  Ledger() {}
  std::array<Account, kMostWriters> accounts;
  std::atomic<bool> power_is_gone{false};  ///< from here on operations may fail

  /// Notes what is wrong; the first that is told stays.
  void accuse(const std::string& what) noexcept;
  std::string fault() const;

 private:
  std::atomic<bool> told_{false};
  std::array<char, 4096> text_{};
};

/// The state of a writer's own session.
class Expected {
 public:
  Expected() {}
  bool present = false;
  std::uint64_t base = 0;               ///< the operation that wrote it as a whole
  std::vector<std::uint64_t> messages;  ///< the operations that wrote them
  friend bool operator==(const Expected&, const Expected&) = default;
};

enum class Step { save, create, append, keyed_append, update, remove };

/// One writer: it has a session of its own, on which it does a fixed row of operations, and appends to one
/// that all share.
class Writer {
 public:
  Writer(StorePtr store, Ledger& ledger, std::uint64_t seed, int number);

  /// Goes on from where its account stands, until it is killed, or `most` operations are done. Blocks.
  /// Returns false when an operation failed, having accused it unless the power is gone.
  bool work(std::uint64_t most = ~std::uint64_t{0});

  /// Compares what is stored with the account, which must not be worked on, and settles it: what was begun
  /// and not acknowledged either happened or did not. Returns what is wrong; empty: nothing.
  std::string settle();

  /// What the session must be after `operations` of them.
  Expected expected(std::uint64_t operations) const;

  /// What the operation of this number does to a session in this state.
  Step step(std::uint64_t operation, const Expected& before) const;

  SessionId id() const;

 private:
  Expected after(std::uint64_t operation, Expected before) const;
  Result<std::uint64_t> perform(std::uint64_t operation, const Expected& before);
  Result<Written> save(const Expected& next, bool creates);
  Result<Written> append(std::uint64_t operation, bool keyed);
  bool append_to_shared();
  bool failed(const std::string& what, const Error& error);
  std::uint64_t mixed(std::uint64_t operation) const;

  const StorePtr store_;
  Ledger& ledger_;
  Account& account_;
  const std::uint64_t seed_;
  const int number_;
};

/// What is wrong with the session that all append to, by the accounts; empty: nothing. Nobody must be at
/// work.
std::string check_shared(SessionStore& store, const Ledger& ledger, int writers);

/// What is wrong with the listings: every session is readable, and found under its agent. Others may be at
/// work on sessions that keep their agents.
std::string check_listed(SessionStore& store);

/// What is wrong with the store as a whole when nobody is at work: nothing is unreadable, every lock is free,
/// every session can be written.
std::string check_store(SessionStore& store);

}  // namespace sessile::crash
