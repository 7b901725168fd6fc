// What the checks of all stores of files do in the same way.
#pragma once

#include "storage/advisory_lock.hpp"

#include <sessile/verify.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sessile::storage {

using Findings = std::vector<Finding>;

/// The temporary files of dead writers of `name`, removed with `repair`.
/// Precondition: the caller holds the lock of `name`, so that no live writer has one. Blocks.
Findings find_leftovers(Directory& directory, const std::string& name, bool repair);
/// The mark of a failed sync of `file` when that is gone, removed with `repair`. Precondition and blocking as
/// above.
Findings find_mark_of_none(Directory& directory, const std::string& file, bool repair);

/// One check of a place. Findings are noted on the caller's executor, files are read on the pool. Not
/// thread-safe.
class VerifyRun {
 public:
  VerifyRun(VerifyOptions options, LockOptions lock, bool may_lock, asio::any_io_executor pool)
      : options_(std::move(options)), lock_(lock), may_lock_(may_lock), pool_(std::move(pool)) {}

  bool repairs() const noexcept { return options_.repairs(); }
  const asio::any_io_executor& pool() const noexcept { return pool_; }

  void expect(std::uint64_t total) noexcept { total_ = total; }
  /// A session, document or log was read.
  void checked() {
    ++report_.checked;
    if (options_.progress()) options_.progress()(report_.checked, total_);
  }
  void note(Findings findings) {
    for (Finding& finding : findings)
      note(std::move(finding));
  }
  void note(Finding finding) { report_.findings.push_back(std::move(finding)); }
  /// What `looks`, which notes here, comes to. Errors: as those of `looks`; but when it repaired something
  /// before it was cancelled or failed, the report as far as it goes, `complete` false: where the bytes that
  /// were taken out are may not be lost sight of.
  Async<VerifyReport> report_of(Async<void> looks);

  /// Notes what `look_at(repair)`, which blocks and returns the findings, says on the pool: first without a
  /// lock; when it found something, again under that of `sidecar`, so that nothing under way is mistaken for
  /// damage, and with leave to repair. When that lock is not to be had, what it said without: "busy" when
  /// others hold it. `locks` null: there is no lock to take. Errors: cancelled.
  template <class LookAt>
  Async<void> check(std::shared_ptr<Directory> locks, std::string sidecar, LookAt look_at) {
    auto found = co_await look(std::move(locks), std::move(sidecar), std::move(look_at));
    if (!found) co_return found.error();
    note(std::move(*found));
    co_return success();
  }

  /// Checks a log by itself: as check, and sweeps what dead writers of `names` left beside it.
  template <class LookAt>
  Async<void> check_log(std::shared_ptr<Directory> place, std::string sidecar, std::vector<std::string> names,
                        LookAt look_at) {
    if (auto done = co_await check(place, sidecar, std::move(look_at)); !done) co_return done;
    for (const std::string& name : names) {
      if (auto swept = co_await sweep(place, name, place, sidecar); !swept) co_return swept;
    }
    checked();
    co_return success();
  }

  /// Looks for the temporary files of dead writers of `name` in `place`, whose lock is `sidecar`.
  Async<void> sweep(std::shared_ptr<Directory> place, std::string name, std::shared_ptr<Directory> locks,
                    std::string sidecar) {
    // Without its lock nobody knows whether the writer lives.
    if (!may_lock_ || !locks) co_return success();
    auto look_at = [&place, &name](bool repair) { return find_leftovers(*place, name, repair); };
    auto found = co_await look(std::move(locks), std::move(sidecar), look_at);
    if (!found) co_return found.error();
    std::erase_if(*found, [](const Finding& finding) { return finding.kind == FindingKind::busy; });
    note(std::move(*found));
    co_return success();
  }

 private:
  bool has_repaired() const;
  /// What check notes.
  template <class LookAt>
  Async<Findings> look(std::shared_ptr<Directory> locks, std::string sidecar, LookAt look_at) {
    Findings suspicions = co_await run_on(pool_, [&look_at](CommitGate&) { return look_at(false); });
    if (suspicions.empty() || !may_lock_ || !locks) co_return suspicions;
    AdvisoryLock lock(std::move(locks), std::move(sidecar), lock_, pool_);
    const bool repair = repairs();
    auto job = [&look_at, repair](CommitGate&) -> Result<Findings> { return look_at(repair); };
    const Deadline deadline = lock.deadline(options_.timeout());
    auto findings = co_await lock.template run_locked<Findings>(deadline, std::move(job));
    if (findings) co_return findings;
    const Error error = findings.error();
    if (error.code() == Errc::cancelled) co_return error;
    for (Finding& suspicion : suspicions) {
      if (error.code() == Errc::locked) suspicion.kind = FindingKind::busy;
      // A place that cannot be written to, and so not be locked, has no writers either.
      if (repair) suspicion.failure = error;
    }
    co_return suspicions;
  }

  const VerifyOptions options_;
  const LockOptions lock_;
  const bool may_lock_;
  const asio::any_io_executor pool_;
  std::uint64_t total_ = 0;
  VerifyReport report_;
};

/// Fills in how a repair went.
inline void conclude(Finding& finding, const Result<void>& repaired) {
  if (repaired) {
    finding.repaired = true;
  } else {
    finding.failure = repaired.error();
  }
}

/// What is told of `entry`, of which a regular file was expected.
inline Finding wrong_type(const Directory& directory, const std::string& entry) {
  Finding finding(FindingKind::wrong_type, (directory.path() / entry).string());
  finding.detail = "not a regular file, where one of the store's belongs";
  return finding;
}

}  // namespace sessile::storage
