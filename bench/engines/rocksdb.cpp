// RocksDB with a Bloom filter, a block cache and as many background threads as CPUs, as its wiki advises.
#include "bench/engines/log_structured.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <thread>

namespace sessile::bench {

namespace {

constexpr std::size_t kCacheBytes = std::size_t{256} << 20;
constexpr double kBloomBits = 10;

struct RocksDbLibrary {
  using Db = rocksdb::DB;
  using Slice = rocksdb::Slice;
  using Iterator = rocksdb::Iterator;
  using WriteBatch = rocksdb::WriteBatch;
  using WriteOptions = rocksdb::WriteOptions;
  using ReadOptions = rocksdb::ReadOptions;
};

rocksdb::Options advised_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBits));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.IncreaseParallelism(static_cast<int>(std::thread::hardware_concurrency()));
  return options;
}

class RocksDb final : public Rival {
 public:
  Result<void> open(const std::string& path) {
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(advised_options(), path, &db);
    db_.reset(db);
    return status.ok() ? success() : Result<void>(rival_error("Open", status.ToString()));
  }
  Result<std::unique_ptr<RivalClient>> connect() override {
    return std::unique_ptr<RivalClient>(std::make_unique<LogStructuredClient<RocksDbLibrary>>(*db_));
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

RivalKind rocksdb_kind() {
  RivalKind kind;
  kind.name = "rocksdb";
  kind.version = rocksdb::GetRocksVersionAsString(true);
  kind.many_processes = false;
  kind.open = [](const std::filesystem::path& directory, Sync) -> Result<std::unique_ptr<Rival>> {
    auto db = std::make_unique<RocksDb>();
    if (auto done = db->open((directory / "rocksdb").string()); !done) return done.error();
    return std::unique_ptr<Rival>(std::move(db));
  };
  return kind;
}

}  // namespace sessile::bench
