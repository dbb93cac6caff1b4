// The GAT operator on CPU. The formulas stand in fused.py; the names are the same.
#include <cmath>
#include <limits>
#include <optional>

#include "csr.h"
#include "philox.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// The arguments that the forward and the backward pass share, checked.
template <class T, class index_t>
struct Gat {
  using A = acc_t<T>;

  Csr<index_t> csr;
  int64_t num_src, num_dst, H, C, num_loops;
  const T* x;
  const A* alpha_src;
  const A* alpha_dst;
  A slope;
  EdgeDropout dropout;

  Gat(const Tensor& x_, const Tensor& alpha_src_, const Tensor& alpha_dst_, const Tensors& csr_,
      bool add_self_loops, double negative_slope, double p, const std::optional<Tensor>& seed)
      : csr(csr_), slope(static_cast<A>(negative_slope)), dropout(p, seed_of(p, seed)) {
    STD_TORCH_CHECK(x_.dim() == 3, "x: expected [N, H, C], got ", x_.dim(), " dimensions");
    num_src = x_.size(0);
    num_dst = csr.num_rows;
    H = x_.size(1);
    C = x_.size(2);
    num_loops = add_self_loops ? std::min(num_src, num_dst) : 0;
    check_tensor(x_, "x", x_.scalar_type(), {num_src, H, C});
    check_tensor(alpha_src_, "alpha_src", acc_dtype<T>(), {num_src, H});
    check_tensor(alpha_dst_, "alpha_dst", acc_dtype<T>(), {num_dst, H});
    x = x_.const_data_ptr<T>();
    alpha_src = alpha_src_.const_data_ptr<A>();
    alpha_dst = alpha_dst_.const_data_ptr<A>();
  }

  static uint64_t seed_of(double p, const std::optional<Tensor>& seed) {
    STD_TORCH_CHECK(p >= 0.0 && p <= 1.0, "dropout: expected 0 <= dropout <= 1, got ", p);
    if (p == 0.0) return 0;
    STD_TORCH_CHECK(seed.has_value(), "seed: needed when dropout > 0");
    check_tensor(*seed, "seed", ScalarType::Long, {});
    return static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
  }

  A leaky_relu(A score) const { return score > A(0) ? score : slope * score; }

  // Dropout belongs to the edge as the caller numbered it; loop i follows the edges.
  int64_t loop_id(int64_t i) const { return csr.num_entries + i; }
};

template <class T>
acc_t<T> inner_product(const T* a, const T* b, int64_t n) {
  acc_t<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < n; ++c)
    sum += static_cast<acc_t<T>>(a[c]) * static_cast<acc_t<T>>(b[c]);
  return sum;
}

template <class T, class index_t>
std::tuple<Tensor, Tensor, Tensor> forward(const Gat<T, index_t>& g, ScalarType dtype) {
  using A = acc_t<T>;
  const int64_t H = g.H, C = g.C;
  Tensor out_ = empty({g.num_dst, H, C}, dtype);
  Tensor score_max_ = empty({g.num_dst, H}, acc_dtype<T>());
  Tensor weight_sum_ = empty({g.num_dst, H}, acc_dtype<T>());
  T* out = out_.mutable_data_ptr<T>();
  BoundsFlag flag;

  parallel_rows(g.num_dst, g.csr.ptr, [&](int64_t first, int64_t last) {
    std::vector<A> scale(H, A(1)), weighted_sum(H * C);
    for (int64_t i = first; i < last; ++i) {
      const A* alpha_i = g.alpha_dst + i * H;
      A* max = score_max_.mutable_data_ptr<A>() + i * H;
      A* sum = weight_sum_.mutable_data_ptr<A>() + i * H;
      const auto for_each_edge = [&](const auto& visit) {
        for (int64_t e = g.csr.ptr[i]; e < g.csr.ptr[i + 1]; ++e) {
          const int64_t j = g.csr.index[e];
          if (!flag.in_bounds(j, g.num_src) || (g.num_loops > 0 && j == i)) continue;
          visit(j, static_cast<int64_t>(g.csr.perm[e]));
        }
        if (i < g.num_loops) visit(i, g.loop_id(i));
      };

      std::fill(max, max + H, -std::numeric_limits<A>::infinity());
      for_each_edge([&](int64_t j, int64_t) {
        const A* alpha_j = g.alpha_src + j * H;
        for (int64_t h = 0; h < H; ++h)
          max[h] = std::max(max[h], g.leaky_relu(alpha_j[h] + alpha_i[h]));
      });

      std::fill(sum, sum + H, A(0));
      std::fill(weighted_sum.begin(), weighted_sum.end(), A(0));
      for_each_edge([&](int64_t j, int64_t edge) {
        if (g.dropout.active()) g.dropout(edge, H, scale.data());
        const A* alpha_j = g.alpha_src + j * H;
        for (int64_t h = 0; h < H; ++h) {
          const A p = std::exp(g.leaky_relu(alpha_j[h] + alpha_i[h]) - max[h]);
          const A weight = p * scale[h];
          const T* x_j = g.x + (j * H + h) * C;
          A* target = weighted_sum.data() + h * C;
          sum[h] += p;
#pragma omp simd
          for (int64_t c = 0; c < C; ++c) target[c] += weight * static_cast<A>(x_j[c]);
        }
      });

      for (int64_t h = 0; h < H; ++h) {
        const bool isolated = sum[h] == A(0);  // a NaN is not, and must reach the output
        for (int64_t c = 0; c < C; ++c)
          out[(i * H + h) * C + c] =
              static_cast<T>(isolated ? A(0) : weighted_sum[h * C + c] / sum[h]);
      }
    }
  });
  flag.check("col: index out of range");
  return {out_, score_max_, weight_sum_};
}

template <class T, class index_t>
std::tuple<Tensor, Tensor, Tensor> backward(const Gat<T, index_t>& g,
                                            const Csr<index_t>& csr_t, const Tensor& grad_out_,
                                            const Tensor& out_, const Tensor& score_max_,
                                            const Tensor& weight_sum_) {
  using A = acc_t<T>;
  const int64_t H = g.H, C = g.C, num_edges = g.csr.num_entries;
  const ScalarType dtype = out_.scalar_type();
  check_tensor(grad_out_, "grad_out", dtype, {g.num_dst, H, C});
  check_tensor(out_, "out", dtype, {g.num_dst, H, C});
  check_tensor(score_max_, "score_max", acc_dtype<T>(), {g.num_dst, H});
  check_tensor(weight_sum_, "weight_sum", acc_dtype<T>(), {g.num_dst, H});
  STD_TORCH_CHECK(csr_t.num_rows == g.num_src && csr_t.num_entries == num_edges,
                  "csr_t: not the transpose of csr");
  const T* grad_out = grad_out_.const_data_ptr<T>();
  const T* out = out_.const_data_ptr<T>();
  const A* score_max = score_max_.const_data_ptr<A>();
  const A* weight_sum = weight_sum_.const_data_ptr<A>();

  Tensor grad_x_ = empty({g.num_src, H, C}, dtype);
  Tensor grad_alpha_src_ = empty({g.num_src, H}, acc_dtype<T>());
  Tensor grad_alpha_dst_ = empty({g.num_dst, H}, acc_dtype<T>());
  // Per edge in the order of csr, then per loop; written by source, read by destination.
  Tensor grad_score_ = empty({num_edges + g.num_loops, H}, acc_dtype<T>());
  Tensor D_ = empty({g.num_dst, H}, acc_dtype<T>());
  T* grad_x = grad_x_.mutable_data_ptr<T>();
  A* grad_alpha_src = grad_alpha_src_.mutable_data_ptr<A>();
  A* grad_alpha_dst = grad_alpha_dst_.mutable_data_ptr<A>();
  A* grad_score = grad_score_.mutable_data_ptr<A>();
  A* D = D_.mutable_data_ptr<A>();
  BoundsFlag flag;

  torch::stable::parallel_for(0, g.num_dst * H, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t ih = begin; ih < end; ++ih)
      D[ih] = inner_product(grad_out + ih * C, out + ih * C, C);
  });

  parallel_rows(g.num_src, csr_t.ptr, [&](int64_t first, int64_t last) {
    std::vector<A> scale(H, A(1)), grad_x_j(H * C), grad_alpha_j(H);
    for (int64_t j = first; j < last; ++j) {
      const A* alpha_j = g.alpha_src + j * H;
      std::fill(grad_x_j.begin(), grad_x_j.end(), A(0));
      std::fill(grad_alpha_j.begin(), grad_alpha_j.end(), A(0));

      // `slot` is the place of the edge or loop in grad_score.
      const auto visit = [&](int64_t i, int64_t slot, int64_t edge) {
        if (g.dropout.active()) g.dropout(edge, H, scale.data());
        const A* alpha_i = g.alpha_dst + i * H;
        for (int64_t h = 0; h < H; ++h) {
          const A score = alpha_j[h] + alpha_i[h];
          const A p =
              std::exp(g.leaky_relu(score) - score_max[i * H + h]) / weight_sum[i * H + h];
          const A weight = p * scale[h];
          const T* x_j = g.x + (j * H + h) * C;
          const T* grad_out_i = grad_out + (i * H + h) * C;
          A* target = grad_x_j.data() + h * C;
#pragma omp simd
          for (int64_t c = 0; c < C; ++c) target[c] += weight * static_cast<A>(grad_out_i[c]);
          const A grad_alpha = scale[h] * inner_product(grad_out_i, x_j, C);
          const A grad =
              p * (grad_alpha - D[i * H + h]) * (score > A(0) ? A(1) : g.slope);
          grad_score[slot * H + h] = grad;
          grad_alpha_j[h] += grad;
        }
      };

      for (int64_t t = csr_t.ptr[j]; t < csr_t.ptr[j + 1]; ++t) {
        const int64_t i = csr_t.index[t], e = csr_t.perm[t];
        if (!flag.in_bounds(i, g.num_dst) || !flag.in_bounds(e, num_edges)) continue;
        if (g.num_loops > 0 && i == j) continue;
        visit(i, e, static_cast<int64_t>(g.csr.perm[e]));
      }
      if (j < g.num_loops) visit(j, num_edges + j, g.loop_id(j));

      for (int64_t k = 0; k < H * C; ++k) grad_x[j * H * C + k] = static_cast<T>(grad_x_j[k]);
      std::copy(grad_alpha_j.begin(), grad_alpha_j.end(), grad_alpha_src + j * H);
    }
  });

  parallel_rows(g.num_dst, g.csr.ptr, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      A* total = grad_alpha_dst + i * H;
      std::fill(total, total + H, A(0));
      const auto add = [&](int64_t slot) {
        for (int64_t h = 0; h < H; ++h) total[h] += grad_score[slot * H + h];
      };
      for (int64_t e = g.csr.ptr[i]; e < g.csr.ptr[i + 1]; ++e)
        if (g.num_loops == 0 || g.csr.index[e] != i) add(e);
      if (i < g.num_loops) add(num_edges + i);
    }
  });
  flag.check("csr_t: index out of range");
  return {grad_x_, grad_alpha_src_, grad_alpha_dst_};
}

std::tuple<Tensor, Tensor, Tensor> gat(const Tensor& x, const Tensor& alpha_src,
                                       const Tensor& alpha_dst, Tensors csr, Tensors /*csr_t*/,
                                       bool add_self_loops, double negative_slope,
                                       double dropout, std::optional<Tensor> seed) {
  STD_TORCH_CHECK(csr.size() == 3, "csr: expected [rowptr, col, perm]");
  return dispatch(x, csr[1], [&](auto storage, auto index) {
    using T = typename decltype(storage)::type;
    const Gat<T, typename decltype(index)::type> g(x, alpha_src, alpha_dst, csr, add_self_loops,
                                                   negative_slope, dropout, seed);
    return forward(g, x.scalar_type());
  });
}

std::tuple<Tensor, Tensor, Tensor> gat_backward(
    const Tensor& grad_out, const Tensor& x, const Tensor& alpha_src, const Tensor& alpha_dst,
    const Tensor& out, const Tensor& score_max, const Tensor& weight_sum, Tensors csr,
    Tensors csr_t, bool add_self_loops, double negative_slope, double dropout,
    std::optional<Tensor> seed) {
  STD_TORCH_CHECK(csr.size() == 3, "csr: expected [rowptr, col, perm]");
  return dispatch(x, csr[1], [&](auto storage, auto index) {
    using T = typename decltype(storage)::type;
    using index_t = typename decltype(index)::type;
    const Gat<T, index_t> g(x, alpha_src, alpha_dst, csr, add_self_loops, negative_slope, dropout,
                            seed);
    return backward(g, Csr<index_t>(csr_t), grad_out, out, score_max, weight_sum);
  });
}

}  // namespace

void register_gat(StableLibrary& library) {
  library.impl("gat", TORCH_BOX(&gat));
  library.impl("gat_backward", TORCH_BOX(&gat_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
