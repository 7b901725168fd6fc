// libFuzzer's entry. SESSILE_FUZZ_TARGET names what is fuzzed.
#include "fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const sessile::fuzz::Target* const target = [] {
    const char* name = std::getenv("SESSILE_FUZZ_TARGET");
    const auto* found = sessile::fuzz::target_named(name == nullptr ? "" : name);
    if (found == nullptr) {
      std::fputs("SESSILE_FUZZ_TARGET must be one of:", stderr);
      for (const auto& known : sessile::fuzz::targets())
        std::fprintf(stderr, " %.*s", static_cast<int>(known.name.size()), known.name.data());
      std::fputs("\n", stderr);
      std::exit(2);
    }
    return found;
  }();
  target->run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
