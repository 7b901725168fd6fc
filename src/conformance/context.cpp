#include "conformance/context.hpp"

#include <condition_variable>
#include <mutex>

namespace sessile::conformance {
namespace {

constexpr std::size_t kLongestWalk = 10'000;

/// What the coroutines of together() report to. Shared with them, since a hang leaves them behind.
class Crew {
 public:
  explicit Crew(std::size_t size) : running_(size) {}

  void finished(std::exception_ptr thrown) {
    const std::lock_guard lock(mutex_);
    if (thrown && !thrown_) thrown_ = thrown;
    if (--running_ == 0) done_.notify_all();
  }

  /// False when they are not done in time.
  bool wait(std::chrono::seconds deadline) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, deadline, [this] { return running_ == 0; });
  }

  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t running_;
  std::exception_ptr thrown_;
};

std::string hang(std::chrono::seconds deadline) {
  return "expected an outcome, got none in " + std::to_string(deadline.count()) + " s";
}

}  // namespace

Context::Context(Harness harness, SubjectFactory subjects, std::chrono::seconds deadline)
    : harness_(std::move(harness)),
      subjects_(std::move(subjects)),
      deadline_(deadline),
      prefix_("c" + SessionId::random().str().substr(0, 8) + "-"),
      io_(std::make_shared<asio::io_context>()) {}

// Coroutines refer to the handles, so they go first. What hangs may yet be resumed: it is left behind, loop
// and all. So is a loop that still has work: a thread of the store may be about to post to it.
Context::~Context() {
  if (!left_behind_) {
    io_->restart();
    io_->run_for(deadline_);
    if (!io_->stopped()) leave_behind();
  }
  io_.reset();
  if (!left_behind_) return;
  for (auto& handle : handles_)
    (void)handle.release();
}

Subject& Context::keep(std::string_view hook, Result<StorePtr> opened) {
  StorePtr store = need(hook, std::move(opened));
  handles_.push_back(subjects_(std::move(store)));
  return *handles_.back();
}

Subject& Context::open(OpenOptions options) {
  return keep("opening the store", harness_.open(std::move(options)));
}

Subject& Context::reopen(OpenOptions options) {
  if (!harness_.reopen) throw Skip("the harness has no reopen hook");
  for (const auto& handle : handles_)
    run(handle->close()).ignore();
  return keep("reopening the store", harness_.reopen(std::move(options)));
}

void Context::corrupt(const SessionId& id) {
  if (!harness_.corrupt) throw Skip("the harness has no corrupt hook");
  corrupted_.push_back(id);
  need("damaging what is stored", harness_.corrupt(id));
}

void Context::need_second_process() const {
  if (!harness_.second_process) throw Skip("the harness has no second_process hook");
}

Result<std::string> Context::second_process(std::string command, std::vector<std::string> arguments) const {
  return harness_.second_process(std::move(command), std::move(arguments));
}

void Context::drop(Subject& subject) {
  std::erase_if(handles_, [&](const auto& handle) { return handle.get() == &subject; });
}

void Context::need_shared_place(Subject& store) const {
  if (store.capabilities().reach == Reach::process) {
    throw Skip("the store reaches no further than its own object");
  }
}

void Context::need_idempotent_append(Subject& store) const {
  if (!store.capabilities().idempotent_append) throw Skip("the store does not claim idempotent_append");
}

SessionId Context::id(std::string_view suffix) {
  return exactly(prefix_ + std::string(suffix));
}

SessionId Context::exactly(std::string text) {
  made_.emplace_back(text);
  return SessionId(std::move(text));
}

AgentId Context::agent(std::string_view suffix) const {
  return AgentId(prefix_ + "agent" + std::string(suffix));
}

Session Context::session(std::string_view suffix) {
  return Session(id(suffix)).set_agent(agent()).add_message("user", "hello");
}

Session Context::saved(Subject& store, std::string_view suffix) {
  Session made = session(suffix);
  get("the first save", store.save(made));
  return made;
}

void Context::leave_behind() {
  left_behind_ = true;
  new std::shared_ptr<asio::io_context>(std::move(io_));
  io_ = std::make_shared<asio::io_context>();
}

void Context::run_until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + deadline_;
  while (!done()) {
    io_->restart();
    io_->run_one_until(std::min(end, std::chrono::steady_clock::now() + std::chrono::milliseconds(100)));
    if (done() || std::chrono::steady_clock::now() < end) continue;
    leave_behind();
    throw Failure(hang(deadline_));
  }
}

void Context::run(asio::awaitable<void> work) {
  auto thrown = std::make_shared<std::optional<std::exception_ptr>>();
  asio::co_spawn(io(), std::move(work), [thrown](std::exception_ptr what) { thrown->emplace(what); });
  run_until([thrown] { return thrown->has_value(); });
  if (**thrown) std::rethrow_exception(**thrown);
}

void Context::together(std::vector<asio::awaitable<void>> work) {
  auto crew = std::make_shared<Crew>(work.size());
  auto pool = std::make_unique<asio::thread_pool>(4);
  for (asio::awaitable<void>& one : work) {
    asio::co_spawn(*pool, std::move(one), [crew](std::exception_ptr thrown) { crew->finished(thrown); });
  }
  if (!crew->wait(deadline_)) {
    leave_behind();
    (void)pool.release();  // its threads may be blocked for ever: joining them would hang as well
    throw Failure(hang(deadline_));
  }
  pool->join();
  crew->rethrow();
}

Session Context::load(Subject& store, const SessionId& id) {
  return *get("loading " + show(id), store.load(id));
}

void Context::absent(Subject& store, const SessionId& id) {
  refuse("loading " + show(id) + ", which must not be there", Errc::not_found, store.load(id));
}

std::vector<std::string> Context::walk(Subject& store, ListQuery query) {
  std::vector<std::string> ids;
  for (;;) {
    const Page<SessionSummary> page = get("listing", store.list(query));
    for (const SessionSummary& summary : page.items)
      ids.push_back(summary.id.str());
    if (page.next.empty()) return ids;
    expect("a page that has a next one to hold something", !page.items.empty(), "an empty page");
    expect("a walk that ends", ids.size() < kLongestWalk, "more sessions than were ever saved");
    query.cursor(page.next);
  }
}

void Context::clean_up() noexcept try {
  Result<StorePtr> fresh = harness_.open(OpenOptions());
  if (fresh) handles_.push_back(subjects_(*fresh));
  for (const auto& handle : handles_) {
    for (const SessionId& id : made_)
      run(handle->store()->remove(id)).ignore();
  }
  for (const SessionId& id : corrupted_) {
    if (harness_.discard) harness_.discard(id).ignore();
  }
} catch (const std::exception&) {
}

}  // namespace sessile::conformance
