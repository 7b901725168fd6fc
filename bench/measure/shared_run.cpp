#include "bench/measure/shared_run.hpp"

#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstring>
#include <stdexcept>
#include <utility>

namespace sessile::bench {

namespace ipc = boost::interprocess;

namespace {

// Counters are used by several processes at once: only lock-free ones work there.
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::uint64_t kMagic = 0x5e551e0000000000ULL ^ (sizeof(RunHeader) << 20U) ^ sizeof(WriterSlot) ^
                                 (sizeof(TimelineEntry) << 8U) ^ sizeof(HoldEntry);

constexpr std::size_t round_up(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

std::size_t slots_offset() {
  return round_up(sizeof(RunHeader));
}

std::size_t timeline_offset(const RunConfig& config) {
  return slots_offset() + config.all_writers() * sizeof(WriterSlot);
}

std::size_t holds_offset(const RunConfig& config) {
  return round_up(timeline_offset(config) + config.timeline * sizeof(TimelineEntry));
}

std::size_t total_bytes(const RunConfig& config) {
  return holds_offset(config) + config.holds * sizeof(HoldEntry);
}

char* base(const ipc::mapped_region& region) {
  return static_cast<char*>(region.get_address());
}

}  // namespace

SharedRun SharedRun::create(const RunConfig& config) {
  SharedRun run;
  run.config_ = config;
  run.name_ = "sessile-bench-" + config.nonce;
  const std::string text = json::serialize(config.to_json());
  if (text.size() > sizeof(RunHeader::config)) throw std::runtime_error("the run's options are too long");

  ipc::permissions owner_only;
  owner_only.set_permissions(0600);
  ipc::shared_memory_object memory(ipc::create_only, run.name_.c_str(), ipc::read_write, owner_only);
  run.owns_name_ = true;
  memory.truncate(static_cast<ipc::offset_t>(total_bytes(config)));
  run.region_ = ipc::mapped_region(memory, ipc::read_write);
  // Fresh shared memory is zeroes, which is a valid state of every atomic in it.
  RunHeader& header = run.header();
  header.magic = kMagic;
  header.config_bytes = text.size();
  std::memcpy(header.config.data(), text.data(), text.size());
  return run;
}

SharedRun SharedRun::attach(const std::string& name) {
  SharedRun run;
  run.name_ = name;
  ipc::shared_memory_object memory(ipc::open_only, name.c_str(), ipc::read_write);
  run.region_ = ipc::mapped_region(memory, ipc::read_write);
  const RunHeader& header = run.header();
  if (run.region_.get_size() < sizeof(RunHeader) || header.magic != kMagic) {
    throw std::runtime_error("the shared memory is that of another build of sessile-bench");
  }
  run.config_ = RunConfig::from_json(
      json::parse(std::string_view(header.config.data(), header.config_bytes)).as_object());
  return run;
}

SharedRun::SharedRun(SharedRun&& other) noexcept
    : name_(std::move(other.name_)),
      owns_name_(std::exchange(other.owns_name_, false)),
      config_(std::move(other.config_)),
      region_(std::move(other.region_)) {}

SharedRun::~SharedRun() {
  remove_name();
}

void SharedRun::remove_name() noexcept {
  if (std::exchange(owns_name_, false)) ipc::shared_memory_object::remove(name_.c_str());
}

WriterSlot& SharedRun::slot(std::size_t writer) const noexcept {
  return reinterpret_cast<WriterSlot*>(base(region_) + slots_offset())[writer];
}

TimelineEntry& SharedRun::timeline(std::size_t index) const noexcept {
  return reinterpret_cast<TimelineEntry*>(base(region_) + timeline_offset(config_))[index];
}

HoldEntry& SharedRun::hold(std::size_t index) const noexcept {
  return reinterpret_cast<HoldEntry*>(base(region_) + holds_offset(config_))[index];
}

void SharedRun::report_failure(std::string_view text) const noexcept {
  std::uint32_t none = 0;
  if (!header().failure_state.compare_exchange_strong(none, 1)) return;
  const std::size_t bytes = std::min(text.size(), sizeof(RunHeader::failure) - 1);
  std::memcpy(header().failure.data(), text.data(), bytes);
  header().failure_state.store(2);
}

std::string SharedRun::failure() const {
  return header().failure_state.load() == 2 ? std::string(header().failure.data()) : std::string();
}

}  // namespace sessile::bench
