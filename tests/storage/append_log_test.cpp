#include "faulty_file_system.hpp"
#include "support/temporary_directory.hpp"

#include "storage/append_log.hpp"
#include "storage/log_replacement.hpp"
#include "storage/poison_mark.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

namespace sessile::storage {
namespace {

using testing::Faults;
using testing::os_error;
namespace errc = boost::system::errc;

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 40;

std::string members(int n, std::size_t size = 20) {
  return "\"n\":" + std::to_string(n) + ",\"text\":\"" + std::string(size, 'x') + "\"";
}

/// Three records.
std::string sample(std::size_t size = 20) {
  return frame_record(1, members(1, size)) + frame_record(2, members(2, size)) +
         frame_record(3, members(3, size));
}

std::vector<std::uint64_t> sequence(const LogScan& scan) {
  std::vector<std::uint64_t> numbers;
  for (const LogRecord& record : scan.records)
    numbers.push_back(record.seq);
  return numbers;
}

using Numbers = std::vector<std::uint64_t>;

/// A log in a directory whose calls can be failed.
class Fixture {
 public:
  Fixture() : directory(*testing::FaultyFileSystem(faults).open_directory(place.path())) {}

  std::string content() const {
    std::ifstream in(place.path() / "log", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  void put(const std::string& bytes) const {
    std::ofstream(place.path() / "log", std::ios::binary | std::ios::trunc) << bytes;
  }
  Result<void> append(const std::string& text, Durability durability = Durability::power) {
    CommitGate gate;
    auto log = AppendLog::open_to_write(*directory, "log");
    if (!log) return log.error();
    auto tail = log->tail(kNoLimit);
    if (!tail) return tail.error();
    return log->append(*tail, text, durability, gate);
  }
  Result<void> replace(std::uint64_t seq, const std::string& text) {
    CommitGate gate;
    return replace_log(*directory, "log", seq, text, Durability::power, gate);
  }
  bool poisoned() { return AppendLog::open_to_write(*directory, "log").value().must_be_replaced(); }
  Numbers numbers() const {
    const std::string bytes = content();
    return sequence(scan_log(bytes).value());
  }

  sessile::testing::TemporaryDirectory place;
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  std::shared_ptr<Directory> directory;
};

}  // namespace

TEST_CASE("A record is what its description says") {
  const std::string line = frame_record(7, "\"a\":1");
  // The checksum is that of Python's zlib.crc32(b'"seq":7,"a":1,"len":"0000000051"}').
  CHECK(line == "{\"crc\":\"110a36a8\",\"seq\":7,\"a\":1,\"len\":\"0000000051\"}\n");
  const auto record = check_record(std::string_view(line).substr(0, line.size() - 1));
  REQUIRE(record);
  CHECK(record->seq == 7);
  CHECK(record->members == "\"a\":1");
}

TEST_CASE("Newlines after the last record are padding") {
  const std::string log = sample();
  const auto scan = scan_log(log + std::string(1000, '\n'));
  REQUIRE(scan);
  CHECK(sequence(*scan) == Numbers{1, 2, 3});
  CHECK(scan->end == log.size());
  CHECK_FALSE(scan->torn);
}

TEST_CASE("A log torn at any byte of its last record is read up to the one before") {
  const std::string before = frame_record(1, members(1)) + frame_record(2, members(2));
  const std::string last = frame_record(3, members(3));
  for (std::size_t cut = 0; cut < last.size() - 1; ++cut) {
    for (const std::size_t padding : {0, 1, 4096}) {
      CAPTURE(cut);
      const std::string bytes = before + last.substr(0, cut) + std::string(padding, '\n');
      const auto scan = scan_log(bytes);
      REQUIRE(scan);
      CHECK(sequence(*scan) == Numbers{1, 2});
      CHECK(scan->torn == (cut > 0));
      CHECK(scan->end == before.size());
    }
  }
  const std::string unterminated = before + last.substr(0, last.size() - 1);
  const auto scan = scan_log(unterminated);
  REQUIRE(scan);
  CHECK(sequence(*scan) == Numbers{1, 2, 3});
  CHECK(scan->newline_missing);
}

TEST_CASE("A last record with sectors that never reached the disk is torn") {
  const std::string before = frame_record(1, members(1, 700));
  const std::string last = frame_record(2, members(2, 3000));
  const std::size_t first_edge = 1024 - before.size() % 512;
  for (std::size_t edge = first_edge; edge + 512 < last.size(); edge += 512) {
    std::string bytes = before + last;
    bytes.resize(8192, '\n');
    const std::size_t at = (before.size() + edge) / 512 * 512;
    bytes.replace(at, 512, 512, '\n');
    CAPTURE(at);
    const auto scan = scan_log(bytes);
    REQUIRE(scan);
    CHECK(sequence(*scan) == Numbers{1});
    CHECK(scan->torn);
  }
}

TEST_CASE("A sector that is lost in the middle of a log is corrupt, not torn") {
  const std::string first = frame_record(1, members(1));
  const std::size_t overhead = frame_record(2, members(2, 0)).size();
  // The third record begins a sector: only that it is a good one tells that the second was not the last.
  const std::string second = frame_record(2, members(2, 4096 - first.size() - overhead));
  REQUIRE(first.size() + second.size() == 4096);
  for (const std::size_t lost : {1024, 3584}) {
    std::string bytes = first + second + frame_record(3, members(3));
    bytes.replace(lost, 512, 512, '\n');
    const auto scan = scan_log(bytes);
    REQUIRE_FALSE(scan);
    CHECK(scan.error().code() == Errc::corrupt);
    CHECK(scan.error().offset() == first.size());
  }
}

TEST_CASE("Any damaged byte is reported with where it is, or does no harm") {
  const std::string good = sample();
  const std::string log = good + std::string(64, '\n');
  const std::uint64_t second = frame_record(1, members(1)).size();
  const std::uint64_t third = second + frame_record(2, members(2)).size();
  for (std::size_t at = 0; at < log.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = log;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      CAPTURE(at);
      CAPTURE(bit);
      const auto scan = scan_log(bytes);
      if (scan) {
        CHECK(sequence(*scan) == Numbers{1, 2, 3});
        continue;
      }
      CHECK(scan.error().code() == Errc::corrupt);
      REQUIRE(scan.error().offset());
      const std::uint64_t offset = *scan.error().offset();
      const std::uint64_t begin = at < second        ? 0
                                  : at < third       ? second
                                  : at < good.size() ? third
                                                     : good.size();
      const bool in_newline = at + 1 == second || at + 1 == third || at + 1 == good.size();
      // A record's newline is damaged: what is after the record is wrong.
      CHECK((offset == begin || offset == at || (in_newline && offset <= at + 1)));
    }
  }
}

TEST_CASE("NULs that no interrupted append leaves are corruption") {
  const std::string log = sample();
  std::string damaged = log;
  damaged.replace(log.size() - 40, 10, 10, '\0');
  for (const std::string& bytes : {std::string(4096, '\0'), damaged, log + std::string("\n\0\n", 3),
                                   std::string(512, '\0') + log, log + std::string(512, '\0') + log}) {
    const auto scan = scan_log(bytes);
    REQUIRE_FALSE(scan);
    CHECK(scan.error().code() == Errc::corrupt);
    CHECK(scan.error().offset() == bytes.find('\0'));
  }
}

TEST_CASE("A log that was made longer by an append whose data did not reach the disk is read up to it") {
  const std::string log = sample();
  const std::string next = frame_record(4, members(4) + ",\"text\":\"" + std::string(1500, 't') + '"');
  const std::size_t to_sector = 512 - log.size() % 512;
  std::string hole = next;
  hole.replace(to_sector, 512, 512, '\0');
  for (const std::string& tail :
       {std::string(4096, '\0'), next.substr(0, 100) + std::string(4096, '\0'), hole + std::string(100, '\n'),
        std::string(to_sector, '\0') + next.substr(to_sector), "\n" + std::string(700, '\0')}) {
    CAPTURE(tail.find('\0'));
    const auto scan = scan_log(log + tail);
    REQUIRE(scan);
    CHECK(sequence(*scan) == Numbers{1, 2, 3});
    CHECK(scan->torn);
    Fixture f;
    f.put(log + tail);
    REQUIRE(f.append(members(4)));
    CHECK(f.numbers() == Numbers{1, 2, 3, 4});
    CHECK(f.content().find('\0') == std::string::npos);
  }
}

TEST_CASE("An append behind a record without its newline may be torn as any other") {
  std::string log = sample();
  log.pop_back();
  const std::string next = "\n" + frame_record(4, members(4));
  for (std::size_t cut = 1; cut < next.size() - 1; ++cut) {
    CAPTURE(cut);
    const auto scan = scan_log(log + next.substr(0, cut));
    REQUIRE(scan);
    CHECK(sequence(*scan) == Numbers{1, 2, 3});
  }
}

TEST_CASE("An empty log, one of padding and one without a first record are corrupt") {
  for (const std::string& bytes :
       {std::string(), std::string(4096, '\n'), frame_record(1, members(1)).substr(0, 50)}) {
    CHECK(scan_log(bytes).error().code() == Errc::corrupt);
    Fixture f;
    f.put(bytes);
    CHECK(f.append(members(9)).error().code() == Errc::corrupt);
    CHECK(f.content() == bytes);
  }
}

TEST_CASE("Two records glued on one line are both recovered") {
  std::string log = sample();
  log.erase(log.find('\n'), 1);
  const auto scan = scan_log(log);
  REQUIRE(scan);
  CHECK(sequence(*scan) == Numbers{1, 2, 3});
  CHECK_FALSE(scan->newline_missing);
  std::string all_glued = sample();
  std::erase(all_glued, '\n');
  const auto glued = scan_log(all_glued);
  REQUIRE(glued);
  CHECK(sequence(*glued) == Numbers{1, 2, 3});
  CHECK(glued->newline_missing);
  Fixture f;
  f.put(all_glued);
  REQUIRE(f.append(members(4)));
  CHECK(f.numbers() == Numbers{1, 2, 3, 4});
}

TEST_CASE("A gap or a repetition in the sequence is corrupt at that record") {
  const std::string first = frame_record(1, members(1));
  for (const std::uint64_t seq : {1, 3}) {
    const auto scan = scan_log(first + frame_record(seq, members(2)) + frame_record(seq + 1, members(3)));
    REQUIRE_FALSE(scan);
    CHECK(scan.error().code() == Errc::corrupt);
    CHECK(scan.error().offset() == first.size());
  }
}

TEST_CASE("Blank lines between records are corrupt") {
  const std::string first = frame_record(1, members(1));
  CHECK(scan_log(first + "\n" + frame_record(2, members(2))).error().offset() == first.size());
}

TEST_CASE("Appends continue the sequence, in padding and beyond it") {
  Fixture f;
  REQUIRE(f.replace(5, members(0)));
  CHECK(f.content().size() == 4096);
  for (int i = 1; i <= 60; ++i)
    REQUIRE(f.append(members(i, 300)));
  const std::string bytes = f.content();
  const auto scan = scan_log(bytes);
  REQUIRE(scan);
  REQUIRE(scan->records.size() == 61);
  CHECK(scan->records.front().seq == 5);
  CHECK(scan->records.back().members == members(60, 300));
  CHECK(bytes.size() % 4096 == 0);
}

TEST_CASE("An append after a torn tail cuts it first") {
  const std::string before = frame_record(1, members(1)) + frame_record(2, members(2));
  const std::string last = frame_record(3, members(3, 60000));  // more than padding would cover
  for (std::size_t cut = 1; cut < last.size() - 1; cut += 997) {
    Fixture f;
    f.put(before + last.substr(0, cut) + std::string(cut % 3 * 100, '\n'));
    REQUIRE(f.append(members(4)));
    CHECK(f.numbers() == Numbers{1, 2, 3});
    const std::string bytes = f.content();
    CHECK_FALSE(scan_log(bytes)->torn);
    CHECK(scan_log(bytes)->records.back().members == members(4));
  }
}

TEST_CASE("An append to a log that cannot be read changes nothing") {
  std::string bytes = sample();
  bytes[bytes.size() - 30] = '#';
  Fixture f;
  f.put(bytes);
  const auto refused = f.append(members(4));
  CHECK(refused.error().code() == Errc::corrupt);
  CHECK(refused.error().offset() == frame_record(1, members(1)).size() * 2);
  CHECK(f.content() == bytes);
}

TEST_CASE("The last record is found from the end, reading little") {
  Fixture f;
  std::string bytes;
  for (int i = 1; i <= 2000; ++i)
    bytes += frame_record(static_cast<std::uint64_t>(i), members(i, 500));
  f.put(bytes + std::string(4000, '\n'));
  f.faults->bytes_read = 0;
  auto log = AppendLog::open_to_read(*f.directory, "log").value();
  const auto tail = log.tail(kNoLimit);
  REQUIRE(tail);
  CHECK(tail->seq == 2000);
  CHECK(tail->members == members(2000, 500));
  CHECK(tail->end == bytes.size());
  CHECK(f.faults->bytes_read < 10000);
}

TEST_CASE("Peeking at a large record reads only its beginning") {
  Fixture f;
  f.put(frame_record(1, members(1, 5000000)));
  auto log = AppendLog::open_to_read(*f.directory, "log").value();
  const auto tail = log.peek(kNoLimit, 4096);
  REQUIRE(tail);
  CHECK(members(1, 5000000).starts_with(tail->members));
  CHECK(tail->members.size() > 4000);
  CHECK(f.faults->bytes_read < 20000);
}

TEST_CASE("Peeking at a torn record, however large, judges all of the log") {
  const std::string before = frame_record(1, members(1));
  std::string lost_start = before + frame_record(2, members(2, 100'000));
  lost_start.replace(before.size(), 512 - before.size(), 512 - before.size(), '\n');
  // Cut off where what it says looks like the end of a record.
  const std::string says = "\"text\":\"" + std::string(90'000, 'x') + "\",\"len\":\"0000070000\"}";
  std::string cut = before + frame_record(2, says + ",\"more\":{");
  cut.resize(cut.find("0000070000") + 12);
  for (const std::string& torn : {lost_start, cut}) {
    Fixture f;
    f.put(torn + std::string(5000, '\n'));
    auto log = AppendLog::open_to_write(*f.directory, "log").value();
    auto tail = log.peek(kNoLimit, 4096);
    REQUIRE(tail);
    CHECK(tail->torn);
    CHECK(tail->checked);
    CHECK(tail->members == members(1));
    CHECK(tail->end == before.size());
    CommitGate gate;
    REQUIRE(log.append(*tail, members(2), Durability::power, gate));
    CHECK(f.numbers() == Numbers{1, 2});
  }
}

TEST_CASE("Short writes are continued") {
  Fixture f;
  REQUIRE(f.replace(1, members(0)));
  f.faults->longest_write = 7;
  REQUIRE(f.append(members(1)));
  CHECK(f.numbers() == Numbers{1, 2});
}

TEST_CASE("An append that runs out of space leaves the log as it was, and can be repeated") {
  for (const int allowed : {0, 1, 5}) {
    Fixture f;
    REQUIRE(f.replace(1, members(0)));
    const std::string before = f.content();
    f.faults->longest_write = 50;
    int writes = 0;
    f.faults->before = [&](const std::string& call, const std::string&) {
      return call == "write" && writes++ >= allowed ? os_error(errc::no_space_on_device)
                                                    : boost::system::error_code();
    };
    const auto full = f.append(members(1, 600));
    CHECK(full.error().code() == Errc::unavailable);
    f.faults->before = nullptr;
    CHECK(f.numbers() == Numbers{1});
    CHECK_FALSE(f.poisoned());
    CHECK(f.content().find_last_not_of('\n') == before.find_last_not_of('\n'));
    REQUIRE(f.append(members(1, 600)));
    CHECK(f.numbers() == Numbers{1, 2});
  }
}

TEST_CASE("A partial record that cannot be taken back poisons the log") {
  Fixture f;
  REQUIRE(f.replace(1, members(0)));
  f.faults->longest_write = 50;
  int writes = 0;
  f.faults->before = [&](const std::string& call, const std::string&) {
    if (call == "truncate") return os_error(errc::io_error);
    return call == "write" && writes++ > 0 ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.append(members(1)).error().code() == Errc::indeterminate);
  f.faults->before = nullptr;
  CHECK(f.poisoned());
  CHECK(f.numbers() == Numbers{1});
}

TEST_CASE("After a failed sync the log must be replaced, and says so to every process") {
  Fixture f;
  REQUIRE(f.replace(1, members(0)));
  f.faults->before = [](const std::string& call, const std::string&) {
    return call == "sync" ? os_error(errc::io_error) : boost::system::error_code();
  };
  const auto unknown = f.append(members(1));
  CHECK(unknown.error().code() == Errc::indeterminate);
  CHECK(unknown.error().cause() == os_error(errc::io_error));
  CHECK(std::filesystem::exists(f.place.path() / "log.poisoned"));
  f.faults->before = nullptr;
  CHECK(f.poisoned());
  REQUIRE(f.replace(3, members(2)));
  CHECK_FALSE(f.poisoned());
  CHECK_FALSE(std::filesystem::exists(f.place.path() / "log.poisoned"));
  CHECK(f.numbers() == Numbers{3});
}

TEST_CASE(
    "After the sync of a cut log failed it must be replaced, and a cut leaves its other names as they are") {
  Fixture f;
  f.put(sample() + "torn");
  f.faults->before = [](const std::string& call, const std::string&) {
    return call == "sync" ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(cut_log(*f.directory, "log", sample().size()).error().code() == Errc::io);
  f.faults->before = nullptr;
  CHECK(AppendLog::open_to_write(*f.directory, "log")->must_be_replaced());
  clear_poison(*f.directory, "log");

  f.put(sample() + "torn");
  const auto backup = f.place.path() / "backup";
  std::filesystem::create_hard_link(f.place.path() / "log", backup);
  CHECK(cut_log(*f.directory, "log", sample().size()));
  CHECK(f.content() == sample());
  CHECK(std::filesystem::file_size(backup) == sample().size() + 4);
}

TEST_CASE("A failed sync is not tried again: the second one would say that all is well") {
  Fixture f;
  REQUIRE(f.replace(1, members(0)));
  int syncs = 0;
  f.faults->before = [&](const std::string& call, const std::string&) {
    return call == "sync" && ++syncs == 1 ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.append(members(1)).error().code() == Errc::indeterminate);
  CHECK(f.poisoned());
  CHECK(syncs == 1);
}

TEST_CASE("The mark of a poisoned log need not be writable to warn its own process") {
  Fixture f;
  REQUIRE(f.replace(1, members(0)));
  f.faults->before = [](const std::string& call, const std::string&) {
    return call == "sync" || call == "create" ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.append(members(1)).error().code() == Errc::indeterminate);
  CHECK_FALSE(std::filesystem::exists(f.place.path() / "log.poisoned"));
  CHECK(f.poisoned());
}

TEST_CASE("A cancelled append writes nothing") {
  Fixture f;
  REQUIRE(f.replace(1, members(0)));
  const std::string before = f.content();
  auto log = AppendLog::open_to_write(*f.directory, "log").value();
  auto tail = log.tail(kNoLimit).value();
  CommitGate gate;
  REQUIRE(gate.cancel());
  CHECK(log.append(tail, members(1), Durability::power, gate).error().code() == Errc::cancelled);
  CHECK(f.content() == before);
}

TEST_CASE("A log larger than the limit is refused") {
  Fixture f;
  f.put(sample(4000));
  auto log = AppendLog::open_to_read(*f.directory, "log").value();
  CHECK(log.read_all(5000).error().code() == Errc::too_large);
  CHECK(log.peek(2000, 100).error().code() == Errc::too_large);
}

}  // namespace sessile::storage
