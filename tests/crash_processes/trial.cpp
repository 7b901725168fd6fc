#include "crash_processes/trial.hpp"

namespace sessile::crash {

testing::Forked start_writer(const std::string& url, Ledger& ledger, std::uint64_t seed, int number) {
  return testing::Forked([&] {
    auto store = open_store(url);
    if (!store) {
      ledger.accuse(store.error().message());
      return 1;
    }
    return Writer(*store, ledger, seed, number).work() ? 0 : 1;
  });
}

std::string checked(Ledger& ledger, const std::function<std::string()>& check) {
  testing::Forked checker([&] {
    std::string fault;
    try {
      fault = check();
    } catch (const std::exception& error) {
      fault = error.what();
    }
    if (!fault.empty()) ledger.accuse(fault);
    return fault.empty() ? 0 : 1;
  });
  const int status = checker.wait();
  std::string fault = ledger.fault();
  if (status != 0 && fault.empty()) fault = "the checking process ended with " + std::to_string(status);
  return fault;
}

std::string check_writer(const std::string& url, Ledger& ledger, std::uint64_t seed, int number) {
  return checked(ledger, [&] { return Writer(open_store(url).value(), ledger, seed, number).settle(); });
}

std::string check_all(const std::string& url, Ledger& ledger, std::uint64_t seed, int writers) {
  return checked(ledger, [&]() -> std::string {
    const StorePtr store = open_store(url).value();
    // Before anybody writes: a later write may make up for what a dead writer left out.
    if (auto fault = check_listed(*store); !fault.empty()) return fault;
    for (int number = 0; number < writers; ++number) {
      Writer writer(store, ledger, seed, number);
      if (auto fault = writer.settle(); !fault.empty()) return fault;
      // It goes on as if nothing had been.
      if (!writer.work(3)) return ledger.fault();
      if (auto fault = writer.settle(); !fault.empty()) return fault;
    }
    if (auto fault = check_shared(*store, ledger, writers); !fault.empty()) return fault;
    return check_store(*store);
  });
}

}  // namespace sessile::crash
