// Counter-based random numbers: the same (seed, edge, head) gives the same number
// in every backend, in the forward and in the backward pass, and nothing is stored.
#pragma once

#include <cstdint>

namespace gatsparse {

struct Words {
  uint32_t word[4];
};

// Philox4x32-10. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011.
inline Words philox(uint64_t seed, Words counter) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  uint32_t* c = counter.word;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * c[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * c[2];
    counter = {{static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ key0,
                static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ key1,
                static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// Philox of the counters (first + lane, 0, 1), for all lanes at once: word k of a lane is
// words[k * lanes + lane]. The last word keeps these numbers apart from those of edges.
template <int lanes>
inline void philox_lanes(uint64_t seed, uint64_t first, uint32_t (&words)[4 * lanes]) {
  uint32_t* word[4] = {words, words + lanes, words + 2 * lanes, words + 3 * lanes};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int l = 0; l < lanes; ++l) {
    word[0][l] = static_cast<uint32_t>(first + l);
    word[1][l] = static_cast<uint32_t>((first + l) >> 32);
    word[2][l] = 0;
    word[3][l] = 1;
  }
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

// Attention dropout: scale[h] = 1 / (1 - p) where (edge, h) is kept, else 0.
class EdgeDropout {
 public:
  EdgeDropout(double p, uint64_t seed)
      : threshold_(static_cast<uint64_t>(p * 4294967296.0)),
        scale_(p < 1.0 ? 1.0 / (1.0 - p) : 0.0),
        seed_(seed) {}

  bool active() const { return threshold_ > 0; }

  template <class T>
  void operator()(int64_t edge, int64_t heads, T* scale) const {
    for (int64_t h = 0; h < heads; h += 4) {
      const Words random = philox(seed_, {{static_cast<uint32_t>(edge),
                                           static_cast<uint32_t>(edge >> 32),
                                           static_cast<uint32_t>(h / 4), 0}});
      for (int64_t k = 0; k < 4 && h + k < heads; ++k)
        scale[h + k] = random.word[k] >= threshold_ ? static_cast<T>(scale_) : T(0);
    }
  }

 private:
  uint64_t threshold_;
  double scale_;
  uint64_t seed_;
};

}  // namespace gatsparse
