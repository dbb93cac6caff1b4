#include "attention.h"

#include "attention_backward.h"

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

template <class T>
void destination_terms(const Attention& a, const Tensor& grad_out, const Tensor& heads_out,
                       const Tensor& shift, const Tensor& weight_sum, int64_t num_terms,
                       acc_t<T>* terms, acc_t<T>* grad_bias, const RowProducts<acc_t<T>>& products,
                       FunctionRef<void(int64_t, int64_t)> more) {
  using A = acc_t<T>;
  constexpr int64_t kShortSum = 32;
  const int64_t HC = a.H * a.C, distance = num_terms * a.Hp;
  check_tensor(heads_out, "heads_out", acc_dtype<T>(), {a.num_dst, a.H, a.C});
  for (const Tensor* numbers : {&shift, &weight_sum})
    check_tensor(*numbers, "shift, weight_sum", acc_dtype<T>(), {a.num_dst, a.Hp});
  const T* g = grad_out.const_data_ptr<T>();
  const A* out = heads_out.const_data_ptr<A>();
  const A* reference = shift.const_data_ptr<A>();
  const A* sum = weight_sum.const_data_ptr<A>();
  ChunkSums<A> bias_sums(num_node_chunks(a.num_dst), HC);
  for_each_node_chunk(a.num_dst, [&](int64_t chunk, int64_t first, int64_t last) {
    row_products<T>(a, g, {out, HC, terms + kD * a.Hp, distance}, products, first, last);
    A* bias_sum = bias_sums.at(chunk);
    std::vector<A> short_sum(HC);
    for (int64_t i = first; i < last; ++i) {
      for_each_quad(a.Hp, [&](auto P, int64_t h0) GATSPARSE_LAMBDA {
        A* target = terms + i * distance + h0;
        const int64_t at = i * a.Hp + h0;
        store(target + kShift * a.Hp, load<A, P>(reference + at));
        store(target + kInverseSum * a.Hp, A(1) / load<A, P>(sum + at));
      });
      add_numbers(short_sum.data(), g + i * HC, HC);
      if (i + 1 < last && (i + 1) % kShortSum > 0) continue;
      add_numbers(bias_sum, short_sum.data(), HC);
      std::fill(short_sum.begin(), short_sum.end(), A(0));
    }
    more(first, last);
  });
  bias_sums.write(grad_bias);
}

#define GATSPARSE_INSTANTIATE(T)                                                             \
  template void row_products(const Attention&, const T*, const RowProducts<acc_t<T>>&,       \
                             const RowProducts<acc_t<T>>&, int64_t, int64_t);                \
  template void destination_terms<T>(                                                        \
      const Attention&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, \
      acc_t<T>*, acc_t<T>*, const RowProducts<acc_t<T>>&, FunctionRef<void(int64_t, int64_t)>)
GATSPARSE_INSTANTIATE(float);
GATSPARSE_INSTANTIATE(double);
GATSPARSE_INSTANTIATE(BFloat16);

}  // namespace gatsparse::GATSPARSE_ISA
