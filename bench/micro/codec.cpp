#include "bench/measure/samples.hpp"

#include <sessile/backend.hpp>

#include <benchmark/benchmark.h>

namespace sessile::bench {

namespace {

SessionPtr sample(const benchmark::State& state) {
  return sample_session(SessionId("s"), AgentId("a"), static_cast<std::uint64_t>(state.range(0)), 1);
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void encode(benchmark::State& state) {
  const SessionPtr session = sample(state);
  for (auto _ : state)
    benchmark::DoNotOptimize(encode_session(*session));
  count_bytes(state);
}
BENCHMARK(encode)->Arg(1024)->Arg(16384)->Arg(1 << 20);

void decode(benchmark::State& state) {
  const std::string text = encode_session(*sample(state));
  for (auto _ : state)
    benchmark::DoNotOptimize(decode_session(text, Origin::stored).value());
  count_bytes(state);
}
BENCHMARK(decode)->Arg(1024)->Arg(16384)->Arg(1 << 20);

void decode_only_head(benchmark::State& state) {
  const std::string text = encode_document(*sample(state), AppendMemory());
  for (auto _ : state)
    benchmark::DoNotOptimize(decode_head(std::string_view(text).substr(0, 4096)));
}
BENCHMARK(decode_only_head)->Arg(16384);

void measure_size(benchmark::State& state) {
  const SessionPtr session = sample(state);
  for (auto _ : state)
    benchmark::DoNotOptimize(measure(*session, Limits()).value());
  count_bytes(state);
}
BENCHMARK(measure_size)->Arg(16384);

}  // namespace

}  // namespace sessile::bench
