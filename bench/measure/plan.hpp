// Which operation a writer performs next, and which sessions must be there before.
#pragma once

#include "bench/config.hpp"

#include <sessile/session.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace sessile::bench {

enum class StepKind { save, append, load, list_for_agent, update };

/// One operation, with what it needs made beforehand.
class Step {
 public:
  Step() {}
  StepKind kind = StepKind::save;
  SessionPtr session;             ///< save; update: what the messages become
  SessionId id;                   ///< append, load, update
  AgentId agent;                  ///< list_for_agent
  std::vector<Message> messages;  ///< append
  std::uint64_t number = 0;       ///< update: of this writer's, so that no two change nothing
  std::size_t expected = 0;       ///< list_for_agent: how many sessions the answer must have

  bool is_read() const noexcept { return kind == StepKind::load || kind == StepKind::list_for_agent; }
};

/// The sessions of one process that several writers save or load. Immutable: shared by all threads.
class SharedSamples {
 public:
  explicit SharedSamples(const RunConfig& config);
  const SessionPtr& sample(std::size_t key, std::size_t variant) const {
    return samples_[key * variants_ + variant];
  }
  std::size_t variants() const noexcept { return variants_; }

 private:
  std::size_t variants_ = 0;
  std::vector<SessionPtr> samples_;
};

/// The operations of one writer. Used by one thread at a time.
class WriterPlan {
 public:
  /// `writer` counts through all processes.
  WriterPlan(const RunConfig& config, std::size_t writer, std::shared_ptr<const SharedSamples> shared);

  /// A session to be saved, unmeasured, before the next operation; null: none.
  SessionPtr needs_first();
  /// The next operation. The reference is good until the next call.
  const Step& next();
  /// The sessions that needs_first() handed out.
  std::vector<SessionId> made() const;

 private:
  std::uint64_t random() noexcept;
  void plan_save();
  void plan_append();
  void plan_contention();
  SessionId append_id(std::uint64_t number) const;

  const RunConfig& config_;
  std::size_t writer_;
  std::shared_ptr<const SharedSamples> shared_;
  std::uint64_t random_state_;
  std::uint64_t count_ = 0;
  Step step_;
  std::vector<SessionPtr> own_;  // save: two variants of each of this writer's sessions
  std::vector<Message> own_messages_;
  std::uint64_t appended_bytes_ = 0;
  std::uint64_t sessions_made_ = 0;
};

/// Calls `store` with each session that must be there before the first operation, until it returns false.
void each_prepared(const RunConfig& config, const std::function<bool(SessionPtr)>& store);
/// The ids of those.
std::vector<SessionId> prepared_ids(const RunConfig& config);

}  // namespace sessile::bench
