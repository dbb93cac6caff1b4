// Counter-based random numbers: the same (seed, edge, head) gives the same number
// in every backend, in the forward and in the backward pass, and nothing is stored.
#pragma once

#include <algorithm>
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

// Attention dropout: what (edge, head) is multiplied by is 1 / (1 - p) where it is kept, else 0.
class EdgeDropout {
 public:
  EdgeDropout(double p, uint64_t seed)
      : threshold_(static_cast<uint64_t>(p * 4294967296.0)),
        scale_(p < 1.0 ? 1.0 / (1.0 - p) : 0.0),
        seed_(seed) {}

  bool active() const { return threshold_ > 0; }

  // scale[b * P + h] for the n edges of a block and the heads h0 + h, h < P.
  template <int P, class A>
  void block(const int64_t* edge, int64_t n, int64_t h0, A* scale) const {
    constexpr int lanes = 16;
    for (int64_t first = 0; first < n; first += lanes)
      for (int g = 0; g < P; g += 4) {
        uint32_t word[4][lanes];
        for (int l = 0; l < lanes; ++l) {
          const int64_t number = edge[std::min(first + l, n - 1)];
          word[0][l] = static_cast<uint32_t>(number);
          word[1][l] = static_cast<uint32_t>(number >> 32);
          word[2][l] = static_cast<uint32_t>((h0 + g) / 4);
          word[3][l] = 0;
        }
        philox_lanes<lanes>(seed_, word);
        for (int l = 0; l < lanes && first + l < n; ++l)
          for (int k = 0; k < 4 && g + k < P; ++k)
            scale[(first + l) * P + g + k] = word[k][l] >= threshold_ ? static_cast<A>(scale_) : A(0);
      }
  }

 private:
  uint64_t threshold_;
  double scale_;
  uint64_t seed_;
};

}  // namespace gatsparse::GATSPARSE_ISA
