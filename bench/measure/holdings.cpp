#include "bench/measure/holdings.hpp"

#include <algorithm>
#include <limits>
#include <span>

namespace sessile::bench {

namespace {

class Interval {
 public:
  Interval(std::int64_t begin_, std::int64_t end_) : begin(begin_), end(end_) {}
  std::int64_t begin;
  std::int64_t end;
};

/// When at least one waited: disjoint, in order.
std::vector<Interval> waited(std::span<const Holding> holdings) {
  std::vector<Interval> waits;
  for (const auto& holding : holdings)
    waits.emplace_back(holding.requested, holding.waited_until());
  std::sort(waits.begin(), waits.end(),
            [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
  std::vector<Interval> merged;
  for (const auto& wait : waits) {
    if (!merged.empty() && wait.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, wait.end);
    } else {
      merged.push_back(wait);
    }
  }
  return merged;
}

/// Walks along the waits of one lock; what is asked must not go back in time.
class Waits {
 public:
  explicit Waits(std::span<const Holding> holdings) : merged_(waited(holdings)) {}

  /// How much of [begin, end) somebody waited.
  std::int64_t within(std::int64_t begin, std::int64_t end) {
    std::int64_t sum = 0;
    skip_to(begin);
    for (std::size_t i = at_; i < merged_.size() && merged_[i].begin < end; ++i) {
      sum += std::max<std::int64_t>(0, std::min(end, merged_[i].end) - std::max(begin, merged_[i].begin));
    }
    return sum;
  }
  bool at(std::int64_t when) {
    skip_to(when);
    return at_ < merged_.size() && merged_[at_].begin <= when;
  }

 private:
  void skip_to(std::int64_t when) {
    while (at_ < merged_.size() && merged_[at_].end <= when)
      ++at_;
  }
  std::vector<Interval> merged_;
  std::size_t at_ = 0;
};

class Collector {
 public:
  Collector(std::int64_t from, std::int64_t until) : from_(from), until_(until) {}

  /// All holdings of one lock, in the order in which they were had, those given up last.
  void add_lock(std::span<const Holding> holdings) {
    ++figures_.locks;
    const auto given_up =
        std::find_if(holdings.begin(), holdings.end(), [](const Holding& h) { return !h.had(); });
    const auto had = holdings.first(static_cast<std::size_t>(given_up - holdings.begin()));
    for (const auto& holding : holdings)
      waits_.push_back(holding.waited_until() - holding.requested);
    add_gaps(had, Waits(holdings));
    count_overtakings(had);
  }

  LockFigures figures() {
    figures_.wait = Latencies(std::move(waits_));
    figures_.hold = Latencies(std::move(holds_));
    figures_.handover = Latencies(std::move(handovers_));
    figures_.wasted_us = static_cast<double>(wasted_) / 1e3;
    const auto window = static_cast<double>(until_ - from_) * static_cast<double>(figures_.locks);
    if (window > 0) {
      figures_.wasted_share = static_cast<double>(wasted_) / window;
      figures_.held_share = static_cast<double>(held_) / window;
    }
    return figures_;
  }

 private:
  /// [begin, end) as far as it lies in the window.
  std::int64_t clipped(std::int64_t begin, std::int64_t end) const {
    return std::max<std::int64_t>(0, std::min(end, until_) - std::max(begin, from_));
  }

  void add_gaps(std::span<const Holding> had, Waits waits) {
    std::int64_t free_since = from_;
    bool first = true;
    for (const auto& holding : had) {
      if (!first && (holding.requested < free_since || waits.at(free_since))) {
        // A release is noted a moment after it happened: the next one may have been quicker.
        handovers_.push_back(std::max<std::int64_t>(0, holding.acquired - free_since));
      }
      add_waste(waits, free_since, holding.acquired);
      holds_.push_back(holding.released - holding.acquired);
      held_ += clipped(std::max(holding.acquired, free_since), holding.released);
      free_since = std::max(free_since, holding.released);
      first = false;
    }
    add_waste(waits, free_since, until_);
  }

  void add_waste(Waits& waits, std::int64_t begin, std::int64_t end) {
    begin = std::max(begin, from_);
    end = std::min(end, until_);
    if (begin < end) wasted_ += waits.within(begin, end);
  }

  void count_overtakings(std::span<const Holding> had) {
    std::int64_t earliest_after = std::numeric_limits<std::int64_t>::max();
    for (auto holding = had.rbegin(); holding != had.rend(); ++holding) {
      if (earliest_after < holding->requested) ++figures_.overtakings;
      earliest_after = std::min(earliest_after, holding->requested);
    }
  }

  std::int64_t from_;
  std::int64_t until_;
  std::int64_t wasted_ = 0;
  std::int64_t held_ = 0;
  std::vector<std::int64_t> waits_;
  std::vector<std::int64_t> holds_;
  std::vector<std::int64_t> handovers_;
  LockFigures figures_;
};

}  // namespace

LockFigures lock_figures(std::vector<Holding> holdings, std::int64_t from, std::int64_t until) {
  std::sort(holdings.begin(), holdings.end(), [](const Holding& a, const Holding& b) {
    if (a.lock != b.lock) return a.lock < b.lock;
    if (a.had() != b.had()) return a.had();
    return a.waited_until() < b.waited_until();
  });
  Collector collector(from, until);
  for (std::size_t begin = 0; begin < holdings.size();) {
    std::size_t end = begin;
    while (end < holdings.size() && holdings[end].lock == holdings[begin].lock)
      ++end;
    collector.add_lock(std::span<const Holding>(holdings).subspan(begin, end - begin));
    begin = end;
  }
  return collector.figures();
}

}  // namespace sessile::bench
