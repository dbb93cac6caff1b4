#include "attention.h"

namespace gatsparse::GATSPARSE_ISA {

Attention::Attention(const Tensor& x, const Tensors& csr_, bool add_self_loops, double p,
                     const std::optional<Tensor>& seed)
    : csr(csr_), dropout(p, seed) {
  STD_TORCH_CHECK(x.dim() == 3, "x: expected [N, H, C], got ", x.dim(), " dimensions");
  num_src = x.size(0);
  num_dst = csr.num_rows;
  H = x.size(1);
  C = x.size(2);
  Hp = padded_heads(H);
  STD_TORCH_CHECK(H > 0 && C > 0, "x: expected H, C >= 1, got ", H, ", ", C);
  num_loops = add_self_loops ? std::min(num_src, num_dst) : 0;
  check_tensor(x, "x", x.scalar_type(), {num_src, H, C});
  if (dropout.active()) dropout.draw(csr, num_loops, H);
}

template <class T>
void row_products(const Attention& a, const T* x, const RowProducts<acc_t<T>>& one,
                  const RowProducts<acc_t<T>>& other, int64_t first, int64_t last) {
  using A = acc_t<T>;
  const int64_t HC = a.H * a.C;
  const bool whole = with_whole_row<A>(a.H, a.C, [&](auto P, const auto& tile) {
    using Tile = std::decay_t<decltype(tile)>;
    for (int64_t n = first; n < last; ++n) {
      Vec<A> x_v[Tile::vectors], y_v[Tile::vectors];
      prefetch_stream(x + n * HC, HC);
      unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA { x_v[v] = tile.read(x + n * HC, v); });
      for (const auto* p : {&one, &other}) {
        if (!p->y) continue;
        unroll<Tile::vectors>(
            [&](auto v) GATSPARSE_LAMBDA { y_v[v] = tile.read(p->y + n * p->stride, v); });
        store(p->product + n * p->distance, tile_products<P, Tile, A>(x_v, y_v));
      }
    }
  });
  if (whole) return;
  // Summed like inner_products: <grad_out, x> and D cancel to 0 in rows with one neighbour.
  std::vector<A> block((kBlock + 3) * a.Hp);
  int64_t id[kBlock + 3], size;
  for (const auto* p : {&one, &other}) {
    if (!p->y) continue;
    for (int64_t n = first; n < last; n += size) {
      size = p->stride == 0 ? std::min(kBlock, last - n) : 1;
      for (int64_t b = 0; b < size + 3; ++b) id[b] = n + std::min(b, size - 1);
      inner_products(x, HC, id, size, p->y + n * p->stride, a.Hp, a.H, a.C, block.data());
      for (int64_t b = 0; b < size; ++b)
        std::copy_n(block.data() + b * a.Hp, a.Hp, p->product + (n + b) * p->distance);
    }
  }
}

#define GATSPARSE_INSTANTIATE(T)                                                       \
  template void row_products(const Attention&, const T*, const RowProducts<acc_t<T>>&, \
                             const RowProducts<acc_t<T>>&, int64_t, int64_t)
GATSPARSE_INSTANTIATE(float);
GATSPARSE_INSTANTIATE(double);
GATSPARSE_INSTANTIATE(BFloat16);

}  // namespace gatsparse::GATSPARSE_ISA
