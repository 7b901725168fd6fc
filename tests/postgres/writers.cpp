#include "postgres/writers.hpp"

#include <sessile/blocking.hpp>

#include <algorithm>
#include <chrono>

namespace sessile::testing {

using namespace std::chrono_literals;

std::string Tally::text() const {
  std::string line = "acknowledged " + std::to_string(acknowledged) + ", of these lost " +
                     std::to_string(acknowledged_lost) + "; failed " + std::to_string(failed) +
                     ", of these there " + std::to_string(failed_there) + "; indeterminate " +
                     std::to_string(indeterminate) + ", of these there " +
                     std::to_string(indeterminate_there) + "; settled by a key " +
                     std::to_string(settled_by_key) + "; twice " + std::to_string(twice);
  for (const auto& [code, count] : failures)
    line += "; " + code + " " + std::to_string(count);
  return line;
}

Writers::Writers(std::shared_ptr<SessionStore> store, int count, const std::string& prefix)
    : store_(std::move(store)) {
  for (int i = 0; i < count; ++i) {
    auto account = std::make_unique<Account>();
    account->id = SessionId(prefix + std::to_string(i));
    blocking::save(*store_, Session(account->id)).value();
    accounts_.push_back(std::move(account));
  }
  for (const auto& account : accounts_)
    account->thread = std::thread([this, &account = *account] { write(account); });
}

void Writers::stop() {
  ended_ = true;
  for (const auto& account : accounts_) {
    if (account->thread.joinable()) account->thread.join();
  }
}

void Writers::write(Account& account) {
  for (std::int64_t number = 0; !ended_; ++number)
    write_one(account, number);
}

void Writers::write_one(Account& account, std::int64_t number) {
  const bool keyed = number % 2 == 1;
  AppendOptions options;
  if (keyed) options.idempotency_key("key-" + std::to_string(number));
  bool was_open = false;
  const auto end = std::chrono::steady_clock::now() + 120s;
  for (;;) {
    const auto written = blocking::append(*store_, account.id, {Message("user", number)}, options);
    if (written) {
      account.acknowledged.push_back(number);
      if (was_open) ++account.settled_by_key;
      ++account.count;
      ++acknowledged_;
      return;
    }
    note_failure(account, written.error());
    const bool open = written.error().code() == Errc::indeterminate;
    was_open = was_open || open;
    // A failure after an attempt that is open says nothing of that attempt.
    if (keyed && was_open && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(5ms);
      continue;
    }
    (was_open ? account.open : account.failed).push_back(number);
    std::this_thread::sleep_for(2ms);
    return;
  }
}

void Writers::note_failure(Account& account, const Error& error) {
  ++account.failures[std::string(name(error.code()))];
  account.messages.emplace(std::string(name(error.code())) + error.detail(),
                           error.message() + " | " + error.outside_text());
}

bool Writers::progress(std::uint64_t more) const {
  std::vector<std::uint64_t> goals;
  for (const auto& account : accounts_)
    goals.push_back(account->count + more);
  const auto end = std::chrono::steady_clock::now() + 120s;
  for (std::size_t i = 0; i < goals.size(); ++i) {
    while (accounts_[i]->count < goals[i]) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(2ms);
    }
  }
  return true;
}

Tally Writers::compare(SessionStore& truth) const {
  Tally tally;
  for (const auto& account : accounts_) {
    std::map<std::int64_t, std::uint64_t> there;
    const SessionPtr stored = blocking::load(truth, account->id).value();
    for (const Message& message : stored->messages)
      ++there[message.content.as_int64()];
    const auto take = [&](const std::vector<std::int64_t>& numbers, std::uint64_t& all,
                          std::uint64_t& found) {
      for (const std::int64_t number : numbers) {
        const auto entry = there.find(number);
        ++all;
        if (entry == there.end()) continue;
        ++found;
        if (entry->second > 1) ++tally.twice;
        there.erase(entry);
      }
    };
    std::uint64_t kept = 0, all = 0;
    take(account->acknowledged, all, kept);
    tally.acknowledged += all;
    tally.acknowledged_lost += all - kept;
    take(account->failed, tally.failed, tally.failed_there);
    take(account->open, tally.indeterminate, tally.indeterminate_there);
    tally.strangers += there.size();
    tally.settled_by_key += account->settled_by_key;
    for (const auto& [code, count] : account->failures)
      tally.failures[code] += count;
    for (const auto& [what, message] : account->messages)
      tally.messages.push_back(message);
  }
  return tally;
}

}  // namespace sessile::testing
