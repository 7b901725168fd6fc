#include "store.hpp"

#include "factory.hpp"
#include "session_file.hpp"
#include "storage/lock_url.hpp"
#include "storage/poison_mark.hpp"
#include "storage/replace_file.hpp"
#include "storage/store_directory.hpp"

#include <sessile/filesystem.hpp>

#include <cerrno>
#include <iterator>
#include <utility>

namespace sessile::filesystem {

using storage::CommitGate;
using storage::Directory;

namespace {

/// How often an operation starts again when what it looked at was replaced under it.
constexpr int kAttempts = 8;

Capabilities capabilities_of(const OpenOptions& options) {
  Capabilities capabilities;
  capabilities.backend = "filesystem";
  capabilities.max_durability = Durability::power;
  capabilities.default_durability = options.durability().value_or(Durability::power);
  capabilities.idempotent_append = true;
  capabilities.reach = Reach::machine;
  capabilities.limits = options.limits();
  return capabilities;
}

StoredState state_of(const Session& session) {
  return StoredState(session.revision, session.created_at, session.updated_at);
}

Written written_of(const Session& session) {
  Written written;
  written.revision = session.revision;
  written.created_at = session.created_at;
  written.updated_at = session.updated_at;
  return written;
}

Error keeps_changing() {
  return Error(Errc::unavailable, "the store's directory, or the session's file, keeps being replaced");
}

}  // namespace

FilesystemStore::FilesystemStore(std::shared_ptr<storage::FileSystem> files, std::filesystem::path directory,
                                 LockOptions lock, OpenOptions options)
    : SessionStore(options, capabilities_of(options)),
      lock_(lock.observer(options.lock_observer())),
      stamper_(options.clock()),
      place_(std::make_shared<Place>(std::move(files), std::move(directory), options.missing_place())) {}

storage::AdvisoryLock FilesystemStore::lock_of(const Target& target) const {
  return storage::AdvisoryLock(target.directory, sidecar_of(target.file), lock_, get_executor());
}

Async<FilesystemStore::Target> FilesystemStore::locate(SessionId id, bool make) {
  if (!may_have_foreign_file(id)) {
    Target target;
    target.directory = place_->opened_for_writing();
    if (target.directory) {
      target.file = own_file(id);
      co_return target;
    }
  }
  co_return co_await storage::run_on(get_executor(),
                                     [this, &id, make](CommitGate&) { return locate_now(id, make); });
}

Result<FilesystemStore::Target> FilesystemStore::locate_now(const SessionId& id, bool make) {
  auto directory = place_->open_for_writing(make);
  if (!directory) return directory.error();
  Target target;
  target.directory = std::move(*directory);
  if (target.directory) target.file = file_of(*target.directory, id, capabilities().limits);
  return target;
}

/// Asked under the lock of `target.file`: since every writer of the session asks, those who wait for
/// different sidecars of one session cannot both write.
bool FilesystemStore::still_right(const Target& target, const SessionId& id) const {
  return !may_have_foreign_file(id) || file_of(*target.directory, id, capabilities().limits) == target.file;
}

asio::awaitable<bool> FilesystemStore::was_replaced(const Target& target) {
  auto job = [this, &target](CommitGate&) { return place_->let_go_if_replaced(target.directory); };
  co_return co_await storage::run_on(get_executor(), std::move(job));
}

template <class T, class Work>
Async<T> FilesystemStore::under_lock(SessionId id, bool make, std::chrono::milliseconds timeout, Work work) {
  std::optional<storage::Deadline> deadline;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto target = co_await locate(id, make);
    if (!target) co_return target.error();
    if (!target->directory) co_return Error(Errc::not_found);
    auto lock = lock_of(*target);
    if (!deadline) deadline = lock.deadline(timeout);
    bool again = false;
    auto result = co_await lock.template run_locked<T>(*deadline, [&](CommitGate& gate) -> Result<T> {
      again = !still_right(*target, id);
      if (again) return keeps_changing();
      return work(*target, gate);
    });
    if (result) co_return result;
    // Awaited only where nothing happened: a cancellation that came too late must not hide the outcome.
    if (!again && storage::directory_is_gone(result.error())) again = co_await was_replaced(*target);
    if (!again) co_return result;
  }
  co_return keeps_changing();
}

Result<std::optional<StoredSession>> FilesystemStore::read_now(const Target& target,
                                                               const SessionId& id) const {
  auto stored = read_session(*target.directory, target.file, id, capabilities().limits);
  if (stored) return std::optional<StoredSession>(std::move(*stored));
  if (stored.error().code() == Errc::not_found) return std::optional<StoredSession>();
  return stored.error();
}

Result<void> FilesystemStore::write_now(const Target& target, const Session& session, const Written& stamp,
                                        const AppendMemory& appends, Durability durability,
                                        CommitGate& gate) {
  place_->sweep(*target.directory, target.file);
  const bool marked = storage::is_poisoned(*target.directory, target.file);
  auto replaced = storage::replace_file(*target.directory, target.file,
                                        encode_document(session, stamp, appends), durability, gate);
  // Of an indeterminate write flush may yet make sure.
  if (replaced) unsynced_.wrote(*target.directory, target.file, marked, durability);
  if (!replaced && replaced.error().code() == Errc::indeterminate) {
    unsynced_.wrote(*target.directory, target.file, marked, Durability::process);
  }
  return replaced;
}

Result<void> FilesystemStore::settle(const Target& target, Durability durability) {
  if (durability == Durability::power) return unsynced_.sync(*target.directory, target.file);
  unsynced_.found(target.file);
  return success();
}

Async<Written> FilesystemStore::do_save(SessionPtr session, SaveOptions options) {
  SessionId id = session->id;
  auto work = [this, session = std::move(session), options](const Target& target, CommitGate& gate) {
    return save_now(target, *session, options, gate);
  };
  co_return co_await under_lock<Written>(std::move(id), true, options.timeout(), std::move(work));
}

Result<Written> FilesystemStore::save_now(const Target& target, const Session& session,
                                          const SaveOptions& options, CommitGate& gate) {
  auto existing = read_stored_head(*target.directory, target.file, session.id, capabilities().limits);
  if (!existing) return existing.error();
  std::optional<StoredState> state;
  if (*existing) state = (*existing)->state;
  auto expected =
      check_revision(options.if_revision(), state ? std::optional<Revision>(state->revision) : std::nullopt);
  if (!expected) return expected.error();
  const Written written = stamper_.next(state, session, options.times());
  const AppendMemory appends = *existing ? std::move((*existing)->appends) : AppendMemory();
  auto replaced = write_now(target, session, written, appends, *options.durability(), gate);
  if (!replaced) return replaced.error();
  return written;
}

Async<SessionPtr> FilesystemStore::do_load(SessionId id, LoadOptions options) {
  if (const auto directory = place_->opened(); directory && !may_have_foreign_file(id)) {
    auto session = read_session_at_once(*directory, own_file(id), id, capabilities().limits);
    if (session) co_return partial_view(std::move(session), options);
  }
  co_return co_await storage::run_on(get_executor(),
                                     [this, &id, &options](CommitGate&) { return load_now(id, options); });
}

Result<SessionPtr> FilesystemStore::load_now(const SessionId& id, const LoadOptions& options) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto directory = place_->open();
    if (!directory) return directory.error();
    if (*directory == nullptr) return Error(Errc::not_found);
    auto stored =
        read_session(**directory, file_of(**directory, id, capabilities().limits), id, capabilities().limits);
    if (stored) {
      return partial_view(std::make_shared<const Session>(std::move(stored->session)), options);
    }
    if (stored.error().code() != Errc::not_found || !place_->let_go_if_deleted(*directory)) {
      return stored.error();
    }
  }
  return keeps_changing();
}

Async<Page<SessionSummary>> FilesystemStore::do_list(ListQuery query) {
  co_return co_await storage::run_on(get_executor(),
                                     [this, &query](CommitGate& gate) { return list_now(query, gate); });
}

Result<Page<SessionSummary>> FilesystemStore::list_now(const ListQuery& query, const CommitGate& gate) {
  auto directory = place_->open();
  if (!directory) return directory.error();
  if (*directory == nullptr) return make_page({}, {}, query);
  auto entries = (*directory)->list();
  if (!entries || entries->empty()) {
    // Deleted and perhaps made anew since it was opened.
    if (place_->let_go_if_deleted(*directory)) return list_now(query, gate);
  }
  if (!entries) return storage::system_error(entries.error(), "cannot list the directory", **directory, "");
  std::vector<SessionSummary> summaries;
  std::vector<Error> unreadable;
  for (const auto& entry : *entries) {
    if (gate.cancelled()) return Error(Errc::cancelled);
    // Of whatever kind: what is in the place of a session is told, not passed over.
    if (!entry.name.ends_with(kExtension)) continue;
    auto summary = read_summary(**directory, entry.name, capabilities().limits);
    if (!summary) {
      unreadable.push_back(summary.error().with_key(key_of(entry.name)));
    } else if (*summary) {
      summaries.push_back(std::move(**summary));
    }
  }
  return make_page(std::move(summaries), std::move(unreadable), query);
}

Async<void> FilesystemStore::do_remove(SessionId id, RemoveOptions options) {
  auto work = [this, id, options](const Target& target, CommitGate& gate) {
    return remove_now(target, id, options, gate);
  };
  co_return co_await under_lock<void>(std::move(id), false, options.timeout(), std::move(work));
}

Result<void> FilesystemStore::remove_now(const Target& target, const SessionId& id,
                                         const RemoveOptions& options, CommitGate& gate) {
  auto existing = read_stored_head(*target.directory, target.file, id, capabilities().limits);
  if (!existing) return existing.error();
  if (!*existing) return Error(Errc::not_found);
  const Revision revision = (*existing)->state.revision;
  if (auto expected = check_revision(options.if_revision(), revision); !expected) return expected;
  auto removed = storage::remove_file(*target.directory, target.file, *options.durability(), gate);
  if (removed || removed.error().code() == Errc::indeterminate) {
    stamper_.retired(revision);
    unsynced_.removed(*target.directory, target.file, removed ? *options.durability() : Durability::process);
  }
  return removed;
}

Async<Written> FilesystemStore::do_append(SessionId id, std::vector<Message> messages,
                                          AppendOptions options) {
  const auto timeout = options.timeout();
  // May be called again, when the directory was replaced meanwhile.
  auto work = [this, id, messages = std::move(messages), options = std::move(options)](const Target& target,
                                                                                       CommitGate& gate) {
    return append_now(target, id, messages, options, gate);
  };
  co_return co_await under_lock<Written>(std::move(id), false, timeout, std::move(work));
}

Result<Written> FilesystemStore::append_now(const Target& target, const SessionId& id,
                                            const std::vector<Message>& messages,
                                            const AppendOptions& options, CommitGate& gate) {
  auto existing = read_now(target, id);
  if (!existing) return existing.error();
  if (!*existing) return Error(Errc::not_found);
  Session& session = (*existing)->session;
  AppendMemory& appends = (*existing)->appends;
  const bool remembered = !options.idempotency_key().empty();
  const std::string print = remembered ? fingerprint(messages) : std::string();
  if (remembered) {
    auto known = appends.find(options.idempotency_key(), print);
    if (!known) return known.error();
    if (*known) {
      if (auto kept = settle(target, *options.durability()); !kept) return kept.error();
      return **known;
    }
  }
  if (auto expected = check_revision(options.if_revision(), session.revision); !expected) {
    return expected.error();
  }
  if (messages.empty()) {
    if (auto kept = settle(target, *options.durability()); !kept) return kept.error();
    return written_of(session);
  }

  const Written written = stamper_.next(state_of(session), session, Times::stamp);
  session.messages.insert(session.messages.end(), messages.begin(), messages.end());
  if (auto measured = measure(session, capabilities().limits); !measured) return measured.error();
  if (remembered) appends.remember(options.idempotency_key(), print, written);
  auto replaced = write_now(target, session, written, appends, *options.durability(), gate);
  if (!replaced) return replaced.error();
  return written;
}

/// What the first half of an update found under the lock.
class FilesystemStore::Changed {
 public:
  Changed() {}
  bool again = false;
  StoredSession stored;
};

Async<SessionPtr> FilesystemStore::do_update(SessionId id, Mutation mutation, UpdateOptions options) {
  std::optional<storage::Deadline> deadline;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto target = co_await locate(id, false);
    if (!target) co_return target.error();
    if (!target->directory) co_return Error(Errc::not_found);
    auto lock = lock_of(*target);
    if (!deadline) deadline = lock.deadline(options.timeout());
    std::optional<storage::HeldLock> held;
    auto found = co_await lock.run_and_keep<Changed>(*deadline, held, [&](CommitGate&) -> Result<Changed> {
      Changed changed;
      changed.again = !still_right(*target, id);
      if (changed.again) return changed;
      auto stored = read_now(*target, id);
      if (!stored) return stored.error();
      if (!*stored) return Error(Errc::not_found);
      changed.stored = std::move(**stored);
      return changed;
    });
    if (!found) {
      held.reset();
      bool again = storage::directory_is_gone(found.error());
      if (again) again = co_await was_replaced(*target);
      if (again) continue;
      co_return found.error();
    }
    if (found->again) continue;
    Session& current = found->stored.session;
    auto expected = check_revision(options.if_revision(), current.revision);
    if (!expected) co_return expected.error();

    // The user's code, on the caller's executor; the lock stays ours meanwhile.
    auto changed = apply_mutation(current, mutation, capabilities().limits);
    if (!changed) co_return changed.error();
    auto job = [&, owned = std::move(*held)](CommitGate& gate) -> Result<SessionPtr> {
      if (*changed == nullptr) {
        if (auto kept = settle(*target, *options.durability()); !kept) return kept.error();
        return std::make_shared<const Session>(std::move(current));
      }
      const Written written = stamper_.next(state_of(current), **changed, Times::stamp);
      auto next = std::make_shared<Session>(stamped(std::move(**changed), written));
      auto replaced = write_now(*target, *next, written, found->stored.appends, *options.durability(), gate);
      if (!replaced) return replaced.error();
      return SessionPtr(std::move(next));
    };
    co_return co_await storage::run_on(get_executor(), std::move(job));
  }
  co_return keeps_changing();
}

Async<void> FilesystemStore::do_flush() {
  co_return co_await storage::run_on(get_executor(), [this](CommitGate&) -> Result<void> {
    auto directory = place_->opened();
    // Nothing was written by this store, or it is gone with all that was in it.
    if (!directory) return success();
    return unsynced_.sync(*directory);
  });
}

Async<void> FilesystemStore::do_close() {
  co_return co_await storage::run_on(get_executor(), [this](CommitGate&) -> Result<void> {
    place_->close();
    return success();
  });
}

}  // namespace sessile::filesystem

namespace sessile {

Result<std::shared_ptr<SessionStore>> make_filesystem_store(std::filesystem::path directory, LockOptions lock,
                                                            OpenOptions options) {
  auto place = storage::store_directory(std::move(directory), lock, "filesystem");
  if (!place) return place.error();
  return std::shared_ptr<SessionStore>(std::make_shared<filesystem::FilesystemStore>(
      storage::real_file_system(), std::move(*place), lock, std::move(options)));
}

Result<std::shared_ptr<SessionStore>> detail::open_filesystem_url(StoreUrl url, OpenOptions options) {
  UrlParameters parameters(url);
  LockOptions lock;
  if (auto common = parameters.apply_common(options); !common) return common.error();
  if (auto locks = storage::apply_lock_parameters(parameters, lock); !locks) return locks.error();
  if (auto finished = parameters.finish(); !finished) return finished.error();
  return make_filesystem_store(url.rest, lock, std::move(options));
}

}  // namespace sessile
