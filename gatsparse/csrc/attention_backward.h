// Shared parts of the backward passes: sums over all rows, the first pass over the destinations,
// and the gradient of one edge.
#pragma once

#include "attention.h"
#include "exp.h"

namespace gatsparse::GATSPARSE_ISA {

// Sums over all rows: sums of each chunk, which are then added in pairs.
template <class A>
class ChunkSums {
 public:
  ChunkSums(int64_t num_chunks, int64_t size) : size_(size), sums_(num_chunks * size) {}
  A* at(int64_t chunk) { return sums_.data() + chunk * size_; }
  void write(A* target) {
    const int64_t num_chunks = sums_.size() / size_;
    for (int64_t step = 1; step < num_chunks; step *= 2)
      for (int64_t chunk = 0; chunk + step < num_chunks; chunk += 2 * step)
        add_numbers(at(chunk), at(chunk + step), size_);
    std::fill_n(target, size_, A(0));
    if (num_chunks > 0) std::copy_n(at(0), size_, target);
  }

 private:
  int64_t size_;
  std::vector<A> sums_;
};

// Terms of a destination in the backward pass, Hp numbers each, side by side.
enum Term { kShift, kInverseSum, kD, kNumTerms };

// Calls f(P, h0) for the padded heads of a node, four at a time.
template <class F>
GATSPARSE_INLINE void for_each_quad(int64_t Hp, const F& f) {
  if (Hp == 1) return f(std::integral_constant<int, 1>{}, int64_t{0});
  for (int64_t h0 = 0; h0 < Hp; h0 += 4) f(std::integral_constant<int, 4>{}, h0);
}

// The first part of the backward pass: terms [N_dst, num_terms, Hp] with
// D = <grad_out, heads_out>, and the sums of grad_out over all nodes, [H, C]. `products` are other
// products of grad_out; more(first, last) adds the terms of a variant for the destinations
// first .. last-1.
template <class T>
void destination_terms(const Attention& a, const Tensor& grad_out, const Tensor& heads_out,
                       const Tensor& shift, const Tensor& weight_sum, int64_t num_terms,
                       acc_t<T>* terms, acc_t<T>* grad_bias, const RowProducts<acc_t<T>>& products,
                       FunctionRef<void(int64_t, int64_t)> more);

// The softmax of an edge, from its score and the terms of its destination.
template <class A, int P>
GATSPARSE_INLINE Vec<A, P> softmax(const Vec<A, P>& score, const A* terms, int64_t Hp) {
  return exp_lanes<P>(score - load<A, P>(terms + kShift * Hp)) *
         load<A, P>(terms + kInverseSum * Hp);
}

// Contribution of an edge, in its slot, to the gradients.
template <class A, int P>
struct EdgeGradient {
  Vec<A, P> weight;  // weight of grad_out in the gradient of x
  Vec<A, P> score;   // gradient of the score
};
// Computed from the softmax p, <grad_out, x> and D of the destination.
template <class A, int P>
GATSPARSE_INLINE EdgeGradient<A, P> edge_gradient(const Attention& a, int64_t slot, int64_t h0,
                                                  const Vec<A, P>& p, const Vec<A, P>& inner,
                                                  const Vec<A, P>& D) {
  if (!a.dropout.active()) return {p, p * (inner - D)};
  const Vec<A, P> z = a.dropout.template scale<A, P>(slot, h0);
  return {p * z, p * (z * inner - D)};
}

}  // namespace gatsparse::GATSPARSE_ISA
