#include "bench/engines/engine.hpp"

namespace sessile::bench {

const std::vector<RivalKind>& rival_kinds() {
  static const std::vector<RivalKind> kinds = {
      floor_kind(),   poll50_kind(),
#ifdef SESSILE_BENCH_SQLITE
      sqlite_kind(),
#endif
#ifdef SESSILE_BENCH_LMDB
      lmdb_kind(),
#endif
#ifdef SESSILE_BENCH_LEVELDB
      leveldb_kind(),
#endif
#ifdef SESSILE_BENCH_ROCKSDB
      rocksdb_kind(),
#endif
  };
  return kinds;
}

Result<void> RivalClient::hold(const SessionId&, const std::function<void()>&) {
  return Error(Errc::unsupported, "this engine has no lock that the benchmark could hold");
}

void RivalClient::observe_locks(LockObserver) {}

const RivalKind* find_rival(std::string_view name) {
  for (const auto& kind : rival_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

Error rival_error(std::string_view what, std::string_view words) {
  return Error(Errc::io, what).with_outside_text(words);
}

Error system_error(std::string_view what, int error_number) {
  return Error(Errc::io, what)
      .with_cause(boost::system::error_code(error_number, boost::system::system_category()));
}

}  // namespace sessile::bench
