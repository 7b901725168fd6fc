#include "crash_states.hpp"

#include <algorithm>
#include <utility>

namespace sessile::crash {

namespace {

using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t bound) {
  return random() % bound;
}

template <class Content>
class Variant {
 public:
  Content content;
  std::string choice;
};

/// Where a write may stop: a byte, rather often one next to a boundary of sectors or of the write.
std::uint64_t tear_point(Random& random, const DataChange& change) {
  const std::uint64_t size = change.data->size();
  // What is interesting in a padded record is its beginning.
  const std::uint64_t text = std::min(change.data->find_last_not_of('\n') + 2, size);
  switch (below(random, 4)) {
    case 0:
      return std::min(size, (change.offset / kSectorBytes + 1) * kSectorBytes - change.offset);
    case 1:
      return text - std::min<std::uint64_t>(text, below(random, 4));
    default:
      return 1 + below(random, text);
  }
}

/// Leaves only some sectors of the write. Those beyond the old end that were passed over become NULs.
std::string tear_sectors(Random& random, std::string& content, const DataChange& change) {
  const std::string& data = *change.data;
  std::string chosen = "sectors";
  for (std::uint64_t at = 0; at < data.size();) {
    const std::uint64_t sector = (change.offset + at) / kSectorBytes;
    const std::uint64_t end =
        std::min<std::uint64_t>(data.size(), (sector + 1) * kSectorBytes - change.offset);
    if (random() % 2 == 0) {
      write_into(content, change.offset + at, std::string_view(data).substr(at, end - at));
      chosen += " " + std::to_string(sector);
    }
    at = end;
  }
  return chosen;
}

std::string tear_write(Random& random, std::string& content, const DataChange& change) {
  std::string choice;
  const std::size_t size = content.size();
  if (change.data->size() > 1 && random() % 2 == 0) {
    const std::uint64_t bytes = tear_point(random, change);
    write_into(content, change.offset, std::string_view(*change.data).substr(0, bytes));
    choice = "first " + std::to_string(bytes);
  } else {
    choice = tear_sectors(random, content, change);
  }
  const std::uint64_t end = change.offset + change.data->size();
  if (end > size && random() % 2 == 0) {
    if (content.size() < end) content.resize(end, '\0');
    choice += ", size set";
  }
  return choice;
}

enum class Fate { lost, done, torn };

std::string apply(Random& random, std::string& content, const DataChange& change, Fate fate) {
  if (fate == Fate::lost) return "lost";
  if (change.kind == DataChange::Kind::write) {
    if (fate == Fate::torn) return tear_write(random, content, change);
    write_into(content, change.offset, *change.data);
    return "done";
  }
  if (fate == Fate::torn && change.offset < content.size()) {
    const std::uint64_t block_end = (change.offset / kBlockBytes + 1) * kBlockBytes;
    const std::uint64_t end = std::min<std::uint64_t>(block_end, content.size());
    content.replace(change.offset, end - change.offset, end - change.offset, '\0');
    return "NULs, size kept";
  }
  content.resize(change.offset, '\0');
  return "done";
}

using FileVariant = Variant<Bytes>;
using DirectoryVariant = Variant<Entries>;

FileVariant file_variant(const FileNode& node, Random& random, const std::function<Fate()>& fate) {
  FileVariant variant;
  std::string content = *node.durable;
  for (const DataChange& change : node.pending) {
    variant.choice += variant.choice.empty() ? "" : "; ";
    variant.choice += apply(random, content, change, fate());
  }
  variant.content = std::make_shared<const std::string>(std::move(content));
  return variant;
}

/// The first has nothing of what is pending, the second all of it.
std::vector<FileVariant> file_variants(const FileNode& node, Random& random, std::size_t tears) {
  std::vector<FileVariant> variants;
  for (const Fate fate : {Fate::lost, Fate::done})
    variants.push_back(file_variant(node, random, [fate] { return fate; }));
  const auto any = [&random] { return static_cast<Fate>(below(random, 3)); };
  const auto torn = [] { return Fate::torn; };
  for (std::size_t i = 0; i < tears; ++i)
    variants.push_back(node.pending.size() == 1 ? file_variant(node, random, torn)
                                                : file_variant(node, random, any));
  return variants;
}

constexpr std::size_t kMostEnumerated = 12;

/// Takes out what depends on something that is out.
std::uint64_t closed(const std::vector<EntryChange>& pending, std::uint64_t chosen) {
  for (std::size_t later = 0; later < pending.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      const bool needs = pending[later].touches(pending[earlier]);
      if (needs && (chosen >> earlier & 1) == 0) chosen &= ~(std::uint64_t{1} << later);
    }
  }
  return chosen;
}

DirectoryVariant directory_variant(const DirectoryNode& node, std::uint64_t chosen) {
  DirectoryVariant variant;
  variant.content = node.durable;
  for (std::size_t i = 0; i < node.pending.size(); ++i) {
    if ((chosen >> i & 1) == 0) continue;
    const EntryChange& change = node.pending[i];
    variant.choice += variant.choice.empty() ? "" : ", ";
    variant.choice += (change.from.empty() ? "" : change.from + " -> ") + change.name;
    if (!change.from.empty()) variant.content.erase(change.from);
    if (change.entry.inode == 0) {
      variant.choice += " gone";
      variant.content.erase(change.name);
    } else {
      variant.content[change.name] = change.entry;
    }
  }
  return variant;
}

std::vector<DirectoryVariant> directory_variants(const DirectoryNode& node, Random& random,
                                                 std::size_t samples) {
  const std::size_t count = std::min<std::size_t>(node.pending.size(), 63);
  const std::uint64_t all = (std::uint64_t{1} << count) - 1;
  std::vector<std::uint64_t> sets{0, all};
  if (count <= kMostEnumerated) {
    for (std::uint64_t set = 1; set < all; ++set) {
      if (closed(node.pending, set) == set) sets.push_back(set);
    }
  } else {
    for (std::size_t i = 0; i < samples; ++i)
      sets.push_back(closed(node.pending, random() & all));
  }
  std::vector<DirectoryVariant> variants;
  for (const std::uint64_t set : sets)
    variants.push_back(directory_variant(node, set));
  return variants;
}

/// All combinations of what files and directories may hold.
class Combinations {
 public:
  Combinations(const Disk& disk, const Sampling& sampling) : disk_(disk), random_(sampling.seed) {
    for (const auto& [inode, node] : disk.files()) {
      if (node.pending.empty()) continue;
      files_.emplace_back(inode, file_variants(node, random_, sampling.tears));
      has_all_sets_ = has_all_sets_ && node.pending.size() == 1;
    }
    for (const auto& [inode, node] : disk.directories()) {
      if (node.pending.empty()) continue;
      directories_.emplace_back(inode, directory_variants(node, random_, sampling.states));
      has_all_sets_ = has_all_sets_ && node.pending.size() <= kMostEnumerated;
    }
  }

  /// True: all sets of the changes were visited.
  bool visit(std::size_t most, const VisitState& visit) {
    std::vector<std::size_t> picks(files_.size() + directories_.size(), 0);
    if (!visit(state(picks))) return false;
    if (picks.empty()) return true;
    std::fill(picks.begin(), picks.end(), 1);
    if (!visit(state(picks))) return false;
    if (count_up_to(most + 1) <= most) return visit_all(visit) && has_all_sets_;
    visit_sample(most, visit);
    return false;
  }

 private:
  void visit_sample(std::size_t most, const VisitState& visit) {
    std::vector<std::size_t> picks(files_.size() + directories_.size(), 0);
    for (std::size_t i = 2; i < most; ++i) {
      // Seldom all at random: what breaks a store is mostly that one thing is there and all else is not.
      const std::uint64_t mode = below(random_, 4);
      for (std::size_t at = 0; at < picks.size(); ++at)
        picks[at] = mode < 2 ? mode : below(random_, size_of(at));
      if (mode < 2) {
        const std::size_t one = below(random_, picks.size());
        picks[one] = below(random_, size_of(one));
      }
      if (!visit(state(picks))) return;
    }
  }
  std::size_t size_of(std::size_t at) const {
    return at < files_.size() ? files_[at].second.size() : directories_[at - files_.size()].second.size();
  }
  std::size_t count_up_to(std::size_t most) const {
    std::size_t count = 1;
    for (std::size_t at = 0; at < files_.size() + directories_.size() && count < most; ++at)
      count *= size_of(at);
    return count;
  }
  /// But for the first two, which were. False: `visit` ended it.
  bool visit_all(const VisitState& visit) {
    std::vector<std::size_t> picks(files_.size() + directories_.size(), 0);
    const std::vector<std::size_t> second(picks.size(), 1);
    for (;;) {
      std::size_t at = 0;
      while (at < picks.size() && ++picks[at] == size_of(at))
        picks[at++] = 0;
      if (at == picks.size()) return true;
      if (picks != second && !visit(state(picks))) return false;
    }
  }
  CrashState state(const std::vector<std::size_t>& picks) const {
    std::map<InodeId, Bytes> files;
    std::map<InodeId, Entries> directories;
    std::string choice;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto& [inode, variants] = files_[i];
      files[inode] = variants[picks[i]].content;
      choice += "file #" + std::to_string(inode) + ": " + variants[picks[i]].choice + ". ";
    }
    for (std::size_t i = 0; i < directories_.size(); ++i) {
      const auto& [inode, variants] = directories_[i];
      const auto& variant = variants[picks[files_.size() + i]];
      directories[inode] = variant.content;
      choice += "directory #" + std::to_string(inode) + ": {" + variant.choice + "}. ";
    }
    return CrashState{disk_.image(files, directories), std::move(choice), false};
  }

  const Disk& disk_;
  Random random_;
  bool has_all_sets_ = true;
  std::vector<std::pair<InodeId, std::vector<FileVariant>>> files_;
  std::vector<std::pair<InodeId, std::vector<DirectoryVariant>>> directories_;
};

}  // namespace

bool power_loss_states(const Disk& disk, const Sampling& sampling, const VisitState& visit) {
  return Combinations(disk, sampling).visit(sampling.states, visit);
}

void process_death_states(const Disk& before, const Change& last, const Sampling& sampling,
                          const VisitState& visit) {
  const auto died_after = [&before](const Change& change) {
    Disk disk = before;
    disk.apply(change);
    return disk;
  };
  if (!visit(CrashState{died_after(last), "killed after the call", false})) return;
  if (last.kind != Change::Kind::write) return;
  DataChange write;
  write.offset = last.offset;
  write.data = last.data;
  Random random(sampling.seed);
  for (std::size_t i = 0; i < sampling.tears; ++i) {
    const std::uint64_t bytes = tear_point(random, write);
    Change part = last;
    part.data = std::make_shared<const std::string>(last.data->substr(0, bytes));
    if (!visit(CrashState{died_after(part), "killed after " + std::to_string(bytes) + " bytes", true}))
      return;
  }
}

}  // namespace sessile::crash
