// Steps of a crash test, each in a process of its own: the test's process opens no store and has one thread.
#pragma once

#include "crash_processes/ledger.hpp"
#include "support/forked.hpp"

#include <string>

namespace sessile::crash {

/// A process that works as writer `number` until it is killed.
testing::Forked start_writer(const std::string& url, Ledger& ledger, std::uint64_t seed, int number);

/// What is wrong with one writer's session, after it was killed; others may be at work.
std::string check_writer(const std::string& url, Ledger& ledger, std::uint64_t seed, int number);

/// What is wrong with everything, when nobody is at work. Spends the store: it writes to every session.
std::string check_all(const std::string& url, Ledger& ledger, std::uint64_t seed, int writers);

/// Runs `check` in a process, and returns what it returned, or how it died.
std::string checked(Ledger& ledger, const std::function<std::string()>& check);

}  // namespace sessile::crash
