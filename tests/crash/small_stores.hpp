// Each store of files with two small objects in it, on a simulated machine.
#pragma once

#include "simulated_file_system.hpp"

#include <sessile/result.hpp>
#include <sessile/verify.hpp>

#include <memory>
#include <string>
#include <vector>

namespace sessile::crash {

/// A store, opened anew for each call, as by a process that has just started. Its objects are `a` and `b`.
/// Leaves nothing open.
class SmallStore {
 public:
  virtual ~SmallStore() = default;
  virtual std::string name() const = 0;
  /// Where `a` is.
  virtual std::string file() const = 0;
  /// Makes both objects, in `/place`, which is there.
  virtual void fill(Machine& machine) = 0;
  virtual Result<VerifyReport> verify(Machine& machine, bool repair) = 0;
  /// All that is read of one object, as text.
  virtual Result<std::string> content(Machine& machine, const std::string& id) = 0;
  /// The names of the objects, sorted, with a space behind each; those that cannot be read as `?`.
  virtual Result<std::string> listing(Machine& machine) = 0;
};

std::vector<std::unique_ptr<SmallStore>> make_small_stores();

/// A machine's disk with a filled store on it, all of it durable.
Disk filled(SmallStore& store);

}  // namespace sessile::crash
