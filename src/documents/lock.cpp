#include "documents/lock.hpp"

#include "documents/document_operation.hpp"
#include "storage/replace_file.hpp"

#include <sessile/json.hpp>

#include <unistd.h>

#include <cerrno>

namespace sessile {
namespace detail {
namespace {

/// Every record has this size, so that a shorter one never shows the end of a longer one.
constexpr std::size_t kRecordBytes = 512;

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || !is_utf8(name)) return {};
  return name;
}

std::string holder_record() {
  std::string record = "{\"pid\":" + std::to_string(::getpid()) + ",\"host\":";
  write_json_string(record, host_name());
  record.append(",\"since\":\"").append(format_time(system_clock()->now())).append("\"}");
  record.resize(kRecordBytes - 1, ' ');
  return record += '\n';
}

bool has_one_name(storage::File& file) {
  const auto info = file.info();
  return info && info->links == 1;
}

}  // namespace

void note_holder(storage::Directory& directory) noexcept {
  try {
    auto file = directory.open_file(kHolderFile, storage::OpenMode::read_write);
    // One with a second name is somebody else's too: its name is given up, and it is not written to.
    const bool shared = file && !has_one_name(**file);
    if (shared && !directory.remove(kHolderFile)) return;
    if (shared || (!file && file.error().value() == ENOENT)) {
      file = directory.open_file(kHolderFile, storage::OpenMode::create_exclusive);
    }
    if (!file) return;
    (*file)->write_at(0, holder_record()).has_value();
  } catch (const std::exception&) {
    // No memory: nobody learns who holds the lock.
  }
}

std::optional<LockHolder> read_holder(storage::Directory& directory) {
  const auto record = storage::read_head(directory, kHolderFile, kRecordBytes);
  if (!record) return std::nullopt;
  const auto value = parse_json(*record, Origin::stored);
  if (!value || !value->is_object()) return std::nullopt;
  const json::object& fields = value->get_object();
  const json::value* const pid = fields.if_contains("pid");
  if (pid == nullptr || !pid->is_int64() || pid->get_int64() <= 0) return std::nullopt;
  LockHolder holder;
  holder.pid = pid->get_int64();
  const auto text = [&fields](std::string_view key) {
    const json::value* const found = fields.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  holder.host = text("host");
  holder.since = text("since");
  return holder;
}

Error describe_locked(Error error, const std::string& category, std::chrono::milliseconds timeout,
                      storage::Directory& directory) {
  error.with_detail("the category '" + category + "' was not free within the timeout of " +
                    std::to_string(timeout.count()) + " ms");
  // What the kernel knows, it knows better; but it seldom knows.
  auto noted = read_holder(directory);
  if (noted && (!error.holder() || error.holder()->pid == noted->pid)) error.with_holder(*std::move(noted));
  return error;
}

const std::shared_ptr<DocumentHold>& DocumentHold::given_back() {
  static const auto none = std::make_shared<DocumentHold>();
  return none;
}

namespace {

Async<DocumentLock> take_lock(DocumentCall call, std::chrono::milliseconds timeout) {
  const std::shared_ptr<DocumentCore> core = call.core;
  const std::string category = call.category;
  const auto make = [core, category](storage::CommitGate&) { return core->make(category); };
  auto made = co_await storage::run_on(core->executor, make);
  if (!made) co_return made.error();
  const std::shared_ptr<storage::Directory> directory = *std::move(made);

  const auto primitive = core->options.lock().primitive();
  storage::AdvisoryLock lock(directory, kLockFile, LockOptions().primitive(primitive).timeout(timeout),
                             core->executor);
  auto held = co_await lock.acquire(lock.deadline(std::chrono::milliseconds(0)));
  if (!held) {
    const Error refused = held.error();
    if (refused.code() != Errc::locked) co_return refused;
    const auto describe = [refused, category, timeout, directory](storage::CommitGate&) {
      return describe_locked(refused, category, timeout, *directory);
    };
    co_return co_await storage::run_on(core->executor, describe);
  }
  auto hold = std::make_shared<DocumentHold>(directory, *std::move(held));
  const auto settle = [core, category, directory](storage::CommitGate&) {
    note_holder(*directory);
    core->sweep_once(category, *directory);
    return true;
  };
  co_await storage::run_on(core->executor, settle);
  co_return DocumentLock(core, category, std::move(hold));
}

}  // namespace
}  // namespace detail

Async<DocumentLock> DocumentCategory::lock(DocumentLockOptions options) const {
  const auto timeout = options.timeout().value_or(core_->options.lock().timeout());
  detail::DocumentCall call("lock", core_, category_);
  auto body = detail::take_lock(call, timeout);
  return detail::run_document_operation<DocumentLock>(std::move(call), std::move(body));
}

DocumentLock::DocumentLock(std::shared_ptr<detail::DocumentCore> core, std::string category,
                           std::shared_ptr<detail::DocumentHold> hold)
    : DocumentAccess(std::move(core), std::move(category), std::move(hold)) {}

DocumentLock::DocumentLock(DocumentLock&& other) noexcept : DocumentAccess(std::move(other)) {
  other.core_ = core_;  // the operations of what was moved from answer, too
  other.unlock();
}

DocumentLock& DocumentLock::operator=(DocumentLock&& other) noexcept {
  if (this != &other) {
    DocumentAccess::operator=(std::move(other));
    other.core_ = core_;
    other.unlock();
  }
  return *this;
}

DocumentLock::~DocumentLock() = default;

void DocumentLock::unlock() noexcept {
  // Never null: the operations of an object without a hold take the lock for themselves.
  hold_ = detail::DocumentHold::given_back();
}

}  // namespace sessile
