#include "command.hpp"

#include <sessile/open.hpp>

namespace sessile::tools {

ExitCode exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return kNotFound;
    case Errc::conflict:
      return kConflict;
    case Errc::locked:
      return kLocked;
    case Errc::corrupt:
      return kCorrupt;
    default:
      return kFailed;
  }
}

Result<StorePtr> Call::try_open(const std::string& url, OpenOptions options) const {
  if (durability == "none") options.durability(Durability::none);
  if (durability == "process") options.durability(Durability::process);
  if (durability == "power") options.durability(Durability::power);
  return open_store(url, std::move(options));
}

StorePtr Call::open() const {
  if (store_url.empty()) {
    throw UsageError("which store? Give --store URL, as file:DIR or jsondir:DIR, or set SESSILE_STORE");
  }
  return open(store_url);
}

StorePtr Call::open(const std::string& url) const {
  Result<StorePtr> store = try_open(url, OpenOptions());
  if (!store) throw UsageError("--store: " + store.error().message());
  return std::move(*store);
}

int Call::fail(const Error& error) const {
  print_error(error, json);
  return exit_code(error.code());
}

}  // namespace sessile::tools
