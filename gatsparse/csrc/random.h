// Counter-based random numbers, one at a time: the same for any number of threads.
#pragma once

#include <cstdint>

namespace gatsparse {

// Philox4x32-10 (see philox.h), as a sequence of the words of the counters
// (a, b, c, 0), (a, b, c, 1), ...
class Philox {
 public:
  Philox(uint64_t seed, uint32_t a, uint32_t b, uint32_t c) : seed_(seed), a_(a), b_(b), c_(c) {}

  uint32_t word() {
    if (used_ == 4) draw();
    return word_[used_++];
  }

  // Uniform in 0 .. n-1, with a bias below n / 2^64.
  uint64_t below(uint64_t n) {
    const uint64_t high = word();
    return static_cast<uint64_t>(
        static_cast<unsigned __int128>(high << 32 | word()) * n >> 64);
  }

 private:
  void draw() {
    uint32_t key0 = static_cast<uint32_t>(seed_), key1 = static_cast<uint32_t>(seed_ >> 32);
    uint32_t x0 = a_, x1 = b_, x2 = c_, x3 = call_++;
    for (int round = 0; round < 10; ++round) {
      const uint64_t product0 = uint64_t{0xD2511F53} * x0, product1 = uint64_t{0xCD9E8D57} * x2;
      x0 = static_cast<uint32_t>(product1 >> 32) ^ x1 ^ key0;
      x1 = static_cast<uint32_t>(product1);
      x2 = static_cast<uint32_t>(product0 >> 32) ^ x3 ^ key1;
      x3 = static_cast<uint32_t>(product0);
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    word_[0] = x0;
    word_[1] = x1;
    word_[2] = x2;
    word_[3] = x3;
    used_ = 0;
  }

  uint64_t seed_;
  uint32_t a_, b_, c_, call_ = 0;
  uint32_t word_[4];
  int used_ = 4;
};

}  // namespace gatsparse
