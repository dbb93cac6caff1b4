// philox.h against the known answers of the reference implementation (Random123, kat_vectors).
#include "check.h"
#include "philox.h"

using namespace gatsparse::GATSPARSE_ISA;

namespace {

struct KnownAnswer {
  uint32_t counter[4];
  uint64_t seed;
  uint32_t word[4];
};

constexpr KnownAnswer kAnswers[] = {
    {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     0xffffffffffffffff,
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     0x299f31d0a4093822,
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};

template <int vectors>
void check(const KnownAnswer& answer, uint64_t high_half) {
  Vec<uint64_t> word[4][vectors];
  for (int k = 0; k < 4; ++k)
    for (auto& words : word[k]) words = (high_half | answer.counter[k]) - Vec<uint64_t>{};
  philox<vectors>(answer.seed, word);
  for (int k = 0; k < 4; ++k)
    for (const auto& words : word[k])
      for (int l = 0; l < kLanes<uint64_t>; ++l) CHECK(words[l] == answer.word[k]);
}

}  // namespace

TEST(philox_gives_the_known_answers) {
  for (const KnownAnswer& answer : kAnswers) {
    check<1>(answer, 0);
    check<2>(answer, 0xABCDEF0100000000);  // high halves are ignored
  }
}

TEST(lanes_have_counters_of_their_own) {
  constexpr int W = kLanes<uint64_t>;
  Vec<uint64_t> word[4][1] = {}, alone[4][1];
  for (int l = 0; l < W; ++l) word[0][0][l] = l;
  philox<1>(7, word);
  for (int l = 0; l < W; ++l) {
    for (auto& words : alone) words[0] = Vec<uint64_t>{};
    alone[0][0] += static_cast<uint64_t>(l);
    philox<1>(7, alone);
    for (int k = 0; k < 4; ++k) CHECK(word[k][0][l] == alone[k][0][0]);
  }
}
