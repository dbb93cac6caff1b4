// The scores of GATv2 over a block of edges, and the sums of their gradients.
#pragma once

#include "tiles.h"

namespace gatsparse::GATSPARSE_ISA {

// Arguments of the score of GATv2: sum over c of att[h, c] * LeakyReLU(z[b, h, c]), where
// z[b] = table[id[b]] + x, plus edge[b] if there are edge features.
template <class A, class T>
struct LeakyScore {
  const T* table;
  int64_t stride;
  const T* x;
  const T* const* edge;  // null: no edge features
  const A* att;
  A slope;
  int64_t heads, C;

  // score[b, h] for the n edges of a block; the scores of an edge are P apart.
  void scores(const int64_t* id, int64_t n, int64_t P, A* score) const {
    if (edge) compute<true>(id, n, P, score);
    else compute<false>(id, n, P, score);
  }

  // Given the gradients of the scores, number[b, h]:
  //   positive[h, c] += sum over b of number[b, h] where z[b, h, c] > 0,
  // and, where by_destination, leaky[h, c] += sum over b of number[b, h] * LeakyReLU(z[b, h, c])
  // and grad_edge[b][h, c] = number[b, h] times the derivative of the score by z. If `first`, the
  // sums start at 0. Rows next[b] of the table are prefetched.
  template <bool by_destination>
  void add_gradients(const int64_t* id, const int64_t* next, int64_t n, const A* number, int64_t P,
                     bool first, A* positive, A* leaky, T* const* grad_edge) const {
    if (edge) add<by_destination, true>(id, next, n, number, P, first, positive, leaky, grad_edge);
    else add<by_destination, false>(id, next, n, number, P, first, positive, leaky, grad_edge);
  }

 private:
  template <bool edges>
  void compute(const int64_t* id, int64_t n, int64_t P, A* score) const;
  template <bool by_destination, bool edges>
  void add(const int64_t* id, const int64_t* next, int64_t n, const A* number, int64_t P,
           bool first, A* positive, A* leaky, T* const* grad_edge) const;
};

}  // namespace gatsparse::GATSPARSE_ISA
