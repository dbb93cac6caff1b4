// Counter-based random numbers: the same (seed, edge, head) gives the same number
// in every backend, in the forward and in the backward pass, and nothing is stored.
#pragma once

#include <cstdint>

namespace gatsparse::GATSPARSE_ISA {

// Philox4x32-10. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011.
//
// Philox of one counter per lane, for all lanes at once: word k of lane l is word[k][l].
template <int lanes>
inline void philox_lanes(uint64_t seed, uint32_t (&word)[4][lanes]) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int l = 0; l < lanes; ++l) {
      const uint64_t product0 = uint64_t{0xD2511F53} * word[0][l];
      const uint64_t product1 = uint64_t{0xCD9E8D57} * word[2][l];
      word[0][l] = static_cast<uint32_t>(product1 >> 32) ^ word[1][l] ^ key0;
      word[1][l] = static_cast<uint32_t>(product1);
      word[2][l] = static_cast<uint32_t>(product0 >> 32) ^ word[3][l] ^ key1;
      word[3][l] = static_cast<uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

}  // namespace gatsparse::GATSPARSE_ISA
