#include "bench/environment.hpp"

#include "bench/build_info.hpp"
#include "bench/engines/engine.hpp"

#include <boost/version.hpp>

#include <sys/utsname.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace sessile::bench {

namespace json = boost::json;

namespace {

std::string kernel() {
  utsname names{};
  if (::uname(&names) != 0) return "unknown";
  return std::string(names.sysname) + ' ' + names.release + ' ' + names.machine;
}

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// The type of the file system that holds `directory`, or would once it is made.
std::string file_system_of(const std::string& directory) {
  std::error_code fault;
  auto place = std::filesystem::weakly_canonical(directory, fault);
  if (fault) return "unknown";
  std::ifstream in("/proc/self/mounts");
  std::string best = "unknown";
  std::size_t best_length = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string device;
    std::string mount;
    std::string type;
    fields >> device >> mount >> type;
    const bool inside =
        place.string().starts_with(mount) &&
        (mount == "/" || place.string().size() == mount.size() || place.string()[mount.size()] == '/');
    if (inside && mount.size() >= best_length) {
      best = type;
      best_length = mount.size();
    }
  }
  return best;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string boost_version() {
  return std::to_string(BOOST_VERSION / 100000) + '.' + std::to_string(BOOST_VERSION / 100 % 1000) + '.' +
         std::to_string(BOOST_VERSION % 100);
}

json::object versions() {
  json::object object;
  object["sessile"] = kProjectVersion;
  object["boost"] = boost_version();
  for (const auto& kind : rival_kinds()) {
    if (!kind.version.empty()) object[kind.name] = kind.version;
  }
  return object;
}

}  // namespace

json::object environment(const std::string& directory) {
  json::object object;
  object["kernel"] = kernel();
  object["cpus"] = std::thread::hardware_concurrency();
  object["cpu_model"] = cpu_model();
  object["filesystem"] = directory.empty() ? std::string() : file_system_of(directory);
  object["compiler"] = compiler();
  object["build_type"] = kBuildType;
  object["commit"] = kCommit;
  object["versions"] = versions();
  return object;
}

std::string describe_environment(const json::object& environment) {
  const auto text = [&](const char* key) {
    const json::value* value = environment.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string("unknown");
  };
  std::ostringstream out;
  out << environment.at("cpus") << " CPUs (" << text("cpu_model") << "), " << text("kernel");
  if (!text("filesystem").empty()) out << ", " << text("filesystem");
  out << '\n' << text("compiler") << ", " << text("build_type");
  if (!text("commit").empty()) out << ", commit " << text("commit");
  const char* separator = "\n";
  for (const auto& [name, version] : environment.at("versions").as_object()) {
    out << separator << std::string_view(name) << ' ' << std::string(version.as_string());
    separator = ", ";
  }
  return out.str();
}

}  // namespace sessile::bench
