#include "json/sha256.hpp"

#include <openssl/evp.h>

#include <new>

namespace sessile::detail {

Sha256 sha256(std::string_view bytes) {
  Sha256 digest;
  // With a digest that every provider has, only a lack of memory makes this fail.
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return digest;
}

std::string hex(const Sha256& digest, std::size_t bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes * 2);
  for (std::size_t i = 0; i < bytes; ++i) {
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

}  // namespace sessile::detail
