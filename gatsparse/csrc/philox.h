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
