#include "registry.hpp"

#include <algorithm>
#include <mutex>

namespace sessile {

namespace {

class Registry {
 public:
  Result<void> add(std::string scheme, StoreFactory factory) {
    const std::lock_guard lock(mutex_);
    if (!factories_.emplace(scheme, std::move(factory)).second) {
      return Error(Errc::invalid_argument, "the scheme " + scheme + " is registered already");
    }
    return success();
  }
  StoreFactory find(const std::string& scheme) const {
    const std::lock_guard lock(mutex_);
    const auto found = factories_.find(scheme);
    return found == factories_.end() ? StoreFactory() : found->second;
  }
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [scheme, factory] : factories_)
      out.push_back(scheme);
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, StoreFactory> factories_;  // protected by mutex_
};

Registry& registry() {
  static Registry instance;
  return instance;
}

Registry& complete_registry() {
  static const bool registered = (detail::register_built_in_schemes(), true);
  static_cast<void>(registered);
  return registry();
}

}  // namespace

Result<void> detail::add_scheme(std::string scheme, StoreFactory factory) {
  return registry().add(std::move(scheme), std::move(factory));
}

StoreFactory detail::registered_factory(const std::string& scheme) {
  return complete_registry().find(scheme);
}

Result<void> register_scheme(std::string scheme, StoreFactory factory) {
  auto url = StoreUrl::parse(scheme + ":");
  if (!url)
    return Error(Errc::invalid_argument, "a scheme is a letter, then letters, digits, +, . or -, all small");
  if (!factory) return Error(Errc::invalid_argument, "a scheme needs a factory");
  return complete_registry().add(std::move(scheme), std::move(factory));
}

std::vector<std::string> registered_schemes() {
  return complete_registry().names();
}

Result<std::shared_ptr<SessionStore>> open_store(std::string_view text, OpenOptions options) {
  auto url = StoreUrl::parse(text);
  if (!url) return url.error();
  const StoreFactory factory = detail::registered_factory(url->scheme);
  if (!factory) {
    std::string known;
    for (const std::string& scheme : registered_schemes())
      known += (known.empty() ? "" : ", ") + scheme + ":";
    return Error(Errc::invalid_argument,
                 "no backend has the scheme " + url->scheme + ":; there are " + known);
  }
  return factory(std::move(*url), std::move(options));
}

}  // namespace sessile
