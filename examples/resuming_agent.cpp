// An agent that may be killed at any moment and goes on where it was.
//
//   resuming_agent STORE_URL SESSION_ID [--die-in-step N]
//
// It has a plan of steps; each asks a tool and notes the answer. What it has done is what the session says:
// it keeps no other state. A step's call and result are appended with idempotency keys, so that a step
// repeated after a crash is recorded once. With --die-in-step it kills itself (SIGKILL) between a tool's call
// and its result.
#include <sessile/sessile.hpp>

#include <boost/asio.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>

using namespace sessile;

namespace {

struct Step {
  const char* tool;
  const char* question;
  const char* answer;
};

constexpr std::array<Step, 4> kPlan{{
    {"measure_bed", "How large is the bed?", "1.2 m by 4 m, facing south"},
    {"test_soil", "What is the soil like?", "sandy, pH 6.4"},
    {"frost_dates", "When is the last frost?", "usually before May 12"},
    {"seed_stock", "Which seeds are in the drawer?", "beans, chard, nasturtium"},
}};

Message tool_call(std::size_t number) {
  json::object block;
  block["type"] = "tool_use";
  block["id"] = "step-" + std::to_string(number);
  block["name"] = kPlan[number].tool;
  block["input"] = kPlan[number].question;
  json::array blocks;
  blocks.push_back(std::move(block));
  return Message("assistant", std::move(blocks));
}

Message tool_result(std::size_t number) {
  json::object block;
  block["type"] = "tool_result";
  block["tool_use_id"] = "step-" + std::to_string(number);
  block["content"] = kPlan[number].answer;
  json::array blocks;
  blocks.push_back(std::move(block));
  return Message("user", std::move(blocks));
}

/// The number of messages before the plan's first: the task itself.
constexpr std::size_t kPreamble = 1;

asio::awaitable<void> work(StorePtr store, SessionId id, std::size_t die_in_step) {
  const SessionPtr found = (co_await get_or_create(store, "gardener", id)).value();
  if (found->messages.empty()) {
    std::cout << "agent: a new session\n";
    AppendOptions task;
    task.idempotency_key("task");
    (co_await store->append(id, Message("user", "Plan the small garden bed."), task)).value();
  } else {
    const std::size_t done = (found->messages.size() - kPreamble) / 2;
    const bool half = (found->messages.size() - kPreamble) % 2 == 1;
    std::cout << "agent: resumed; " << done << " of " << kPlan.size() << " steps done"
              << (half ? ", one call without its result" : "") << "\n";
  }
  const std::size_t recorded = found->messages.empty() ? 0 : found->messages.size() - kPreamble;
  for (std::size_t number = recorded / 2; number < kPlan.size(); ++number) {
    const std::string step = std::to_string(number);
    std::cout << "agent: step " << number + 1 << ", calls " << kPlan[number].tool << std::endl;
    AppendOptions call;
    call.idempotency_key("call-" + step);
    const Written written = (co_await store->append(id, tool_call(number), call)).value();
    if (written.replayed) std::cout << "agent: that call is recorded already\n";
    if (number + 1 == die_in_step) {
      std::cout << "agent: killed with the result on its lips" << std::endl;
      std::raise(SIGKILL);
    }
    AppendOptions result;
    result.idempotency_key("result-" + step);
    (co_await store->append(id, tool_result(number), result)).value();
  }
  std::cout << "agent: all " << kPlan.size() << " steps done\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && !(argc == 5 && std::string_view(argv[3]) == "--die-in-step")) {
    std::cerr << "usage: resuming_agent STORE_URL SESSION_ID [--die-in-step N]\n";
    return 2;
  }
  const std::size_t die_in_step = argc == 5 ? std::strtoul(argv[4], nullptr, 10) : 0;
  try {
    asio::io_context context;
    const StorePtr store = open_store(argv[1]).value();
    asio::co_spawn(context, work(store, argv[2], die_in_step), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
    context.run();
  } catch (const SystemError& failure) {
    std::cerr << "agent: " << failure.what() << '\n';
    return 1;
  }
  return 0;
}
