#include "edge_dropout.h"

#include "philox.h"
#include "rows.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

constexpr int64_t kGrain = 1024;  // edges per piece of work of a thread
constexpr int kVectors = 2, kAtOnce = kVectors * kLanes<uint64_t>;

}  // namespace

EdgeDropout::EdgeDropout(double p, const std::optional<Tensor>& seed)
    : scale_(p < 1.0 ? 1.0 / (1.0 - p) : 0.0) {
  STD_TORCH_CHECK(p >= 0.0 && p <= 1.0, "dropout: expected 0 <= dropout <= 1, got ", p);
  if (p == 0.0) return;
  STD_TORCH_CHECK(seed.has_value(), "seed: needed when dropout > 0");
  check_tensor(*seed, "seed", ScalarType::Long, {});
  seed_ = static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
  const auto threshold = static_cast<uint64_t>(p * 4294967296.0);
  active_ = threshold > 0;
  last_dropped_ = threshold - 1;
}

// The bits of at most kGroup heads, starting at `head`, of the edges `number`.
void EdgeDropout::draw_group(const uint64_t* number, int64_t head, int64_t H,
                             uint16_t* target) const {
  Vec<uint64_t> bits[kVectors] = {};
  for (int64_t h = 0; h < std::min(kGroup, H - head); h += 4) {
    Vec<uint64_t> word[4][kVectors];
    unroll<kVectors>([&](auto v) GATSPARSE_LAMBDA {
      word[0][v] = load<uint64_t>(number + v * kLanes<uint64_t>);
      word[1][v] = word[0][v] >> 32;
      word[2][v] = static_cast<uint64_t>((head + h) / 4) - Vec<uint64_t>{};
      word[3][v] = Vec<uint64_t>{};
    });
    philox<kVectors>(seed_, word);
    unroll<4 * kVectors>([&](auto k) GATSPARSE_LAMBDA {
      const uint64_t bit = uint64_t{1} << (h + k % 4);
      bits[k / 4] |= word[k % 4][k / 4] > last_dropped_ ? bit - Vec<uint64_t>{}
                                                        : Vec<uint64_t>{};
    });
  }
  unroll<kVectors>([&](auto v) GATSPARSE_LAMBDA {
    using Narrow = Vec<uint16_t, kLanes<uint64_t>>;
    store(target + v * kLanes<uint64_t>, __builtin_convertvector(bits[v], Narrow));
  });
}

template <class index_t>
void EdgeDropout::draw(const index_t* perm, int64_t num_edges, int64_t num_loops, int64_t H) {
  const int64_t n = num_edges + num_loops;
  uint16_t* kept = kept_->data();
  BoundsFlag flag;
  parallel_each((n + kGrain - 1) / kGrain, [&](int64_t chunk) {
    const int64_t last = std::min((chunk + 1) * kGrain, n);
    for (int64_t at = chunk * kGrain; at < last; at += kAtOnce) {
      uint64_t number[kAtOnce];
      const int64_t count = std::min<int64_t>(kAtOnce, last - at);
      const auto of_edge = [&](int64_t edge) {
        return static_cast<uint64_t>(edge < num_edges ? int64_t{perm[edge]} : edge);
      };
      for (int l = 0; l < kAtOnce; ++l)
        number[l] = of_edge(at + std::min<int64_t>(l, count - 1));
      const int64_t edges = std::min(count, num_edges - at);  // before the loops
      uint64_t beyond = 0;
      for (int64_t l = 0; l < edges; ++l)
        beyond |= number[l] >= static_cast<uint64_t>(num_edges);
      if (beyond) flag.raise();
      for (int64_t group = 0; group < groups_; ++group) {
        uint16_t bits[kAtOnce];
        draw_group(number, group * kGroup, H, bits);
        for (int64_t l = 0; l < count; ++l) kept[(at + l) * groups_ + group] = bits[l];
      }
    }
  });
  flag.check("csr: index out of range");
}

void EdgeDropout::draw(const Csr& csr, int64_t num_loops, int64_t H) {
  groups_ = (H + kGroup - 1) / kGroup;
  kept_.emplace((csr.num_entries + num_loops) * groups_);
  if (csr.perm.wide) draw(csr.perm.as<int64_t>(), csr.num_entries, num_loops, H);
  else draw(csr.perm.as<int32_t>(), csr.num_entries, num_loops, H);
}

}  // namespace gatsparse::GATSPARSE_ISA
