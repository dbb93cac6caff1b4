#include "attention_backward.h"

namespace gatsparse::GATSPARSE_ISA {

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
  template void destination_terms<T>(                                                        \
      const Attention&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t, \
      acc_t<T>*, acc_t<T>*, const RowProducts<acc_t<T>>&, FunctionRef<void(int64_t, int64_t)>)
GATSPARSE_INSTANTIATE(float);
GATSPARSE_INSTANTIATE(double);
GATSPARSE_INSTANTIATE(BFloat16);

}  // namespace gatsparse::GATSPARSE_ISA
