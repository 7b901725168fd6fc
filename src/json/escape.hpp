// Which bytes of a string JSON escapes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sessile::detail {

inline bool needs_escape(unsigned char byte) noexcept {
  return byte < 0x20 || byte == '"' || byte == '\\';
}

/// Index of the first byte of `text` at or after `from` that must be escaped; text.size() when there is none.
inline std::size_t next_escape(std::string_view text, std::size_t from) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                last_control = _mm_set1_epi8(0x1F);
  for (; text.size() - from >= 16; from += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i hits =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)), control);
    if (const int mask = _mm_movemask_epi8(hits); mask != 0)
      return from + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(mask)));
  }
#endif
  // Eight bytes at a time: a byte that is wanted sets its highest bit in `hits`. Bytes above a hit may be set
  // wrongly, by the borrow, so only the lowest counts.
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHighs = kOnes * 0x80U;
  const auto zero_bytes = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighs; };
  if constexpr (std::endian::native == std::endian::little) {
    for (; text.size() - from >= 8; from += 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + from, 8);
      const std::uint64_t hits = zero_bytes(word ^ kOnes * '"') | zero_bytes(word ^ kOnes * '\\') |
                                 ((word - kOnes * 0x20U) & ~word & kHighs);
      if (hits != 0) return from + static_cast<std::size_t>(std::countr_zero(hits)) / 8;
    }
  }
  while (from < text.size() && !needs_escape(static_cast<unsigned char>(text[from])))
    ++from;
  return from;
}

}  // namespace sessile::detail
