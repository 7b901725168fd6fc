#include "bench/measure/plan.hpp"

#include "bench/measure/samples.hpp"

#include <algorithm>

namespace sessile::bench {

namespace {

// What the samples of one process may take, roughly, so that a run with many writers fits in memory.
constexpr std::uint64_t kSampleBudget = std::uint64_t{64} << 20;
constexpr std::size_t kMessageVariants = 16;

bool saves_shared_sessions(const RunConfig& config) {
  return config.workload == "same" || config.workload == "contention" || config.workload == "takeover";
}

SessionId key_id(const RunConfig& config, std::uint64_t number) {
  return SessionId("bench-" + config.nonce + "-" + std::to_string(number));
}

AgentId agent_of(const RunConfig& config, std::uint64_t number) {
  if (config.workload != "list_for_agent") return AgentId("bench-" + config.nonce);
  return AgentId("bench-" + config.nonce + "-agent-" + std::to_string(number));
}

std::uint64_t agents(const RunConfig& config) {
  return std::max<std::uint64_t>(1, config.sessions / config.agent_sessions);
}

SessionPtr make(const RunConfig& config, std::uint64_t number, std::uint64_t variant) {
  return sample_session(key_id(config, number), agent_of(config, number % agents(config)), config.bytes,
                        variant, config.change == "tail");
}

std::uint64_t own_sessions(const RunConfig& config) {
  return std::max<std::uint64_t>(1, config.sessions / config.all_writers());
}

}  // namespace

SharedSamples::SharedSamples(const RunConfig& config) {
  if (!saves_shared_sessions(config)) return;
  const std::uint64_t fit = kSampleBudget / (config.sessions * config.bytes + 1);
  variants_ = static_cast<std::size_t>(std::clamp<std::uint64_t>(fit, 2, 16));
  for (std::uint64_t key = 0; key < config.sessions; ++key) {
    for (std::size_t variant = 0; variant < variants_; ++variant) {
      samples_.push_back(make(config, key, variant + 1));
    }
  }
}

WriterPlan::WriterPlan(const RunConfig& config, std::size_t writer,
                       std::shared_ptr<const SharedSamples> shared)
    : config_(config), writer_(writer), shared_(std::move(shared)), random_state_(writer * 7919 + 1) {
  if (config.workload == "save") {
    const std::uint64_t fit = kSampleBudget / (2 * config.bytes * config.writers + 1);
    const std::uint64_t mine =
        std::clamp<std::uint64_t>(own_sessions(config), 1, std::max<std::uint64_t>(1, fit));
    for (std::uint64_t variant = 1; variant <= 2; ++variant) {
      for (std::uint64_t i = 0; i < mine; ++i) {
        own_.push_back(make(config, writer * own_sessions(config) + i, variant));
      }
    }
  } else if (config.workload == "append") {
    for (std::size_t i = 0; i < kMessageVariants; ++i) {
      own_messages_.push_back(sample_message(config.bytes, writer * kMessageVariants + i));
    }
    appended_bytes_ = config.grow_bytes;
  }
}

std::uint64_t WriterPlan::random() noexcept {
  // Xorshift: what a writer does must not depend on the standard library.
  random_state_ ^= random_state_ << 13U;
  random_state_ ^= random_state_ >> 7U;
  random_state_ ^= random_state_ << 17U;
  return random_state_;
}

SessionId WriterPlan::append_id(std::uint64_t number) const {
  return SessionId("bench-" + config_.nonce + "-w" + std::to_string(writer_) + "-" + std::to_string(number));
}

SessionPtr WriterPlan::needs_first() {
  if (config_.workload != "append" || appended_bytes_ < config_.grow_bytes) return nullptr;
  appended_bytes_ = 0;
  step_.id = append_id(sessions_made_++);
  return sample_session(step_.id, agent_of(config_, 0), config_.base_bytes, 0);
}

std::vector<SessionId> WriterPlan::made() const {
  std::vector<SessionId> ids;
  for (std::uint64_t i = 0; i < sessions_made_; ++i)
    ids.push_back(append_id(i));
  return ids;
}

void WriterPlan::plan_save() {
  step_.kind = StepKind::save;
  step_.session = own_[count_++ % own_.size()];
}

void WriterPlan::plan_append() {
  step_.kind = StepKind::append;
  step_.messages.assign(1, own_messages_[count_++ % own_messages_.size()]);
  appended_bytes_ += config_.bytes;
}

void WriterPlan::plan_contention() {
  const auto key = random() % config_.sessions;
  if (random() % 100 < config_.reads) {
    step_.kind = StepKind::load;
    step_.id = key_id(config_, key);
    return;
  }
  step_.kind = config_.operation == "update" ? StepKind::update : StepKind::save;
  step_.session = shared_->sample(static_cast<std::size_t>(key), random() % shared_->variants());
  step_.id = step_.session->id;
  step_.number = count_++;
}

const Step& WriterPlan::next() {
  if (config_.workload == "save") {
    plan_save();
  } else if (config_.workload == "append") {
    plan_append();
  } else if (config_.workload == "load") {
    step_.kind = StepKind::load;
    step_.id = key_id(config_, random() % config_.sessions);
  } else if (config_.workload == "list_for_agent") {
    step_.kind = StepKind::list_for_agent;
    const auto agent = random() % agents(config_);
    step_.agent = agent_of(config_, agent);
    // Sessions are dealt out in turn, so the first agents have one more when it does not come out even.
    step_.expected =
        static_cast<std::size_t>((config_.sessions - agent + agents(config_) - 1) / agents(config_));
  } else {
    plan_contention();
  }
  return step_;
}

void each_prepared(const RunConfig& config, const std::function<bool(SessionPtr)>& store) {
  if (config.workload == "append") return;
  const std::uint64_t count =
      config.workload == "save" ? own_sessions(config) * config.all_writers() : config.sessions;
  for (std::uint64_t number = 0; number < count; ++number) {
    if (!store(make(config, number, 0))) return;
  }
}

std::vector<SessionId> prepared_ids(const RunConfig& config) {
  std::vector<SessionId> ids;
  if (config.workload == "append") return ids;
  const std::uint64_t count =
      config.workload == "save" ? own_sessions(config) * config.all_writers() : config.sessions;
  for (std::uint64_t number = 0; number < count; ++number)
    ids.push_back(key_id(config, number));
  return ids;
}

}  // namespace sessile::bench
