// LevelDB with a Bloom filter and a block cache, as its documentation advises.
#include "bench/engines/log_structured.hpp"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

namespace sessile::bench {

namespace {

constexpr std::size_t kCacheBytes = std::size_t{256} << 20;
constexpr int kBloomBits = 10;

struct LevelDbLibrary {
  using Db = leveldb::DB;
  using Slice = leveldb::Slice;
  using Iterator = leveldb::Iterator;
  using WriteBatch = leveldb::WriteBatch;
  using WriteOptions = leveldb::WriteOptions;
  using ReadOptions = leveldb::ReadOptions;
};

class LevelDb final : public Rival {
 public:
  LevelDb() : cache_(leveldb::NewLRUCache(kCacheBytes)), filter_(leveldb::NewBloomFilterPolicy(kBloomBits)) {}

  Result<void> open(const std::string& path) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.block_cache = cache_.get();
    options.filter_policy = filter_.get();
    leveldb::DB* db = nullptr;
    const auto status = leveldb::DB::Open(options, path, &db);
    db_.reset(db);
    return status.ok() ? success() : Result<void>(rival_error("Open", status.ToString()));
  }
  Result<std::unique_ptr<RivalClient>> connect() override {
    return std::unique_ptr<RivalClient>(std::make_unique<LogStructuredClient<LevelDbLibrary>>(*db_));
  }

 private:
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;  // last: it uses the two
};

}  // namespace

RivalKind leveldb_kind() {
  RivalKind kind;
  kind.name = "leveldb";
  kind.version = std::to_string(leveldb::kMajorVersion) + '.' + std::to_string(leveldb::kMinorVersion);
  kind.many_processes = false;
  kind.open = [](const std::filesystem::path& directory, Sync) -> Result<std::unique_ptr<Rival>> {
    auto db = std::make_unique<LevelDb>();
    if (auto done = db->open((directory / "leveldb").string()); !done) return done.error();
    return std::unique_ptr<Rival>(std::move(db));
  };
  return kind;
}

}  // namespace sessile::bench
