// Counter-based random numbers: the same (seed, edge, head) gives the same number
// in every backend, in the forward and in the backward pass, and nothing is stored.
#pragma once

#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {

// Philox4x32-10. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011.
//
// One counter per lane: word k of lane l is in the low half of word[k][v][l], so that a product of
// two fits the lane; high halves are ignored, and 0 in the result. Several vectors are computed at
// once, because every round depends on the previous one.
template <int vectors>
GATSPARSE_INLINE void philox(uint64_t seed, Vec<uint64_t> (&word)[4][vectors]) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  unroll<10>([&](auto) GATSPARSE_LAMBDA {
    unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
      const Vec<uint64_t> product0 = product_of_low_halves(word[0][v], 0xD2511F53);
      const Vec<uint64_t> product1 = product_of_low_halves(word[2][v], 0xCD9E8D57);
      word[0][v] = (product1 >> 32) ^ word[1][v] ^ uint64_t{key0};
      word[1][v] = product1;
      word[2][v] = (product0 >> 32) ^ word[3][v] ^ uint64_t{key1};
      word[3][v] = product0;
    });
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  });
  for (auto& words : word)
    unroll<vectors>([&](auto v) GATSPARSE_LAMBDA { words[v] &= uint64_t{0xFFFFFFFF}; });
}

}  // namespace gatsparse::GATSPARSE_ISA
