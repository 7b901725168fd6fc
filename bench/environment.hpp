// Where a figure was measured: without it a figure says nothing.
#pragma once

#include <boost/json/object.hpp>

#include <string>

namespace sessile::bench {

/// Kernel, CPUs, file system of the store's directory (empty when it has none), compiler, build type, commit,
/// versions of the libraries measured.
boost::json::object environment(const std::string& directory);

/// The same on a few lines for people.
std::string describe_environment(const boost::json::object& environment);

}  // namespace sessile::bench
