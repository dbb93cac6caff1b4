// A 64-bit fingerprint of bytes in memory, at memory speed. Different bytes have the same
// fingerprint with a probability of about 2^-64, unless they are chosen to collide.
#include "fingerprint.h"

#include <cstring>
#include <vector>

#include "rows.h"

namespace gatsparse {
namespace {

constexpr int kLanes = 4;  // independent products, so that their latencies overlap
constexpr int64_t kBlock = kLanes * 16;
// Bytes ahead that are prefetched, because the processor's own prefetching ends with each page.
constexpr int64_t kAhead = 4096;
constexpr int64_t kChunk = int64_t{128} << 10;  // a piece of work for a thread
constexpr uint64_t kKeys[kLanes] = {0x8d3f5a2b9e6c1047, 0x3b97e1c5f0a84d29, 0xe54c08d7b1936faf,
                                    0x61b2fd4937ea8c53};

uint64_t fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

void add_block(const unsigned char* bytes, uint64_t (&lanes)[kLanes]) {
  uint64_t words[2 * kLanes];
  std::memcpy(words, bytes, kBlock);
  for (int k = 0; k < kLanes; ++k)
    lanes[k] = fold(words[2 * k] ^ kKeys[k], words[2 * k + 1] ^ lanes[k]);
}

uint64_t of_chunk(const unsigned char* bytes, int64_t size) {
  uint64_t lanes[kLanes] = {kKeys[1], kKeys[2], kKeys[3], kKeys[0]};
  int64_t done = 0;
  for (; done + kBlock <= size; done += kBlock) {
    __builtin_prefetch(bytes + done + kAhead);
    add_block(bytes + done, lanes);
  }
  if (done < size) {
    unsigned char last[kBlock] = {};
    std::memcpy(last, bytes + done, size - done);
    add_block(last, lanes);
  }
  uint64_t hash = static_cast<uint64_t>(size) ^ kKeys[0];
  for (int k = 0; k < kLanes; ++k) hash = fold(hash ^ kKeys[k], lanes[k] ^ kKeys[kLanes - 1 - k]);
  return hash;
}

}  // namespace

uint64_t fingerprint(const void* data, int64_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  if (size <= kChunk) return of_chunk(bytes, size);
  // The chunks, and so the result, are the same for any number of threads.
  std::vector<uint64_t> hashes((size + kChunk - 1) / kChunk);
  parallel_each(hashes.size(), [&](int64_t k) {
    hashes[k] = of_chunk(bytes + k * kChunk, std::min(kChunk, size - k * kChunk));
  });
  return of_chunk(reinterpret_cast<const unsigned char*>(hashes.data()),
                  static_cast<int64_t>(hashes.size() * sizeof(uint64_t)));
}

}  // namespace gatsparse
