// Power taken from real file systems, on a loop device, by the ioctl that their own tests use.
#include "crash_processes/trial.hpp"
#include "support/long_run.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace sessile;
using namespace sessile::crash;
using sessile::testing::Forked;
using sessile::testing::Shared;
using sessile::testing::TemporaryDirectory;

namespace {

constexpr int kWriters = 2;

bool succeeds(const std::string& command) {
  return std::system((command + " > /dev/null 2>&1").c_str()) == 0;
}

/// What was removed is not to come back with the power, in the place of what a slow writer had not yet begun.
bool sync_all(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = ::syncfs(descriptor) == 0;
  ::close(descriptor);
  return done;
}

/// EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one; 2: nothing that is not on the device survives.
bool cut_power(const std::filesystem::path& directory) {
  constexpr auto kShutdown = _IOR('X', 125, __u32);
  __u32 keep_nothing = 2;
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = ::ioctl(descriptor, kShutdown, &keep_nothing) == 0;
  ::close(descriptor);
  return done;
}

/// A file system in a file.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& kind)
      : image_(directory_.path() / "image"), place_(directory_.path() / "mnt") {
    std::filesystem::create_directory(place_);
    const std::string size = kind == "xfs" ? "320M" : "32M";
    if (!succeeds("truncate -s " + size + " " + image_.string())) return;
    made_ = succeeds("PATH=$PATH:/sbin:/usr/sbin mkfs." + kind + " -q " + image_.string());
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  ~LoopDevice() { unmount(); }

  bool made() const noexcept { return made_; }
  bool mount() { return mounted_ = succeeds("mount -o loop " + image_.string() + " " + place_.string()); }
  void unmount() {
    if (mounted_) mounted_ = !succeeds("umount " + place_.string());
  }
  bool is_mounted() const noexcept { return mounted_; }
  const std::filesystem::path& place() const noexcept { return place_; }

 private:
  const TemporaryDirectory directory_;
  const std::filesystem::path image_;
  const std::filesystem::path place_;
  bool made_ = false;
  bool mounted_ = false;
};

/// Writers at work when the power goes. What they were told is written must be there afterwards.
std::string lose_power(LoopDevice& device, const std::string& url, std::uint64_t seed,
                       std::uint64_t& operations) {
  const Shared<Ledger> ledger;
  std::mt19937_64 random(seed);
  std::vector<Forked> writers;
  for (int number = 0; number < kWriters; ++number)
    writers.push_back(start_writer(url, *ledger, seed, number));
  ::usleep(std::uniform_int_distribution<useconds_t>(10'000, 150'000)(random));
  ledger->power_is_gone = true;
  const std::vector<Acknowledged> before(ledger->accounts.begin(), ledger->accounts.end());
  if (!cut_power(device.place())) return "the power cannot be cut";
  writers.clear();
  for (std::size_t i = 0; i < before.size(); ++i) {
    operations += before[i].operations;
    before[i].put_back(ledger->accounts[i]);
  }
  device.unmount();
  if (!device.mount()) return "the file system cannot be mounted again";
  return check_all(url, *ledger, seed, kWriters);
}

void lose_power_often(const std::string& kind) {
  if (::geteuid() != 0) {
    MESSAGE("skipped: " << kind << " on a loop device needs root");
    return;
  }
  LoopDevice device(kind);
  if (!device.made() || !device.mount()) {
    MESSAGE("skipped: " << kind << " on a loop device: mkfs or mount is not there, or not allowed");
    return;
  }
  const std::uint64_t seed = sessile::testing::test_seed();
  const std::uint64_t cuts = sessile::testing::rounds(6);
  std::uint64_t operations = 0;
  for (std::uint64_t cut = 0; cut < cuts; ++cut) {
    const std::string scheme = cut % 2 == 0 ? "file" : "jsondir";
    const auto directory = device.place() / ("store-" + std::to_string(cut % 8));
    std::filesystem::remove_all(directory);
    REQUIRE(sync_all(device.place()));
    const std::string url = scheme + ":" + directory.string() + "?durability=power";
    const std::string fault = lose_power(device, url, seed + cut, operations);
    if (!fault.empty()) FAIL(kind << ", " << scheme << ", seed " << seed << ", cut " << cut << ": " << fault);
  }
  CHECK(operations > cuts);
  std::cout << "figures: " << kind << ": power cut " << cuts << " times, " << operations
            << " acknowledged operations, seed " << seed << std::endl;
}

}  // namespace

TEST_CASE("nothing acknowledged is lost when ext4 loses its power") {
  lose_power_often("ext4");
}

TEST_CASE("nothing acknowledged is lost when XFS loses its power") {
  lose_power_often("xfs");
}
