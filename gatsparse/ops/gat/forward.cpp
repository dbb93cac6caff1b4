// The forward pass of GAT on CPU.
#include "attention_forward.h"
#include "gat.h"
#include "gathered.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// alpha_src[n, h] = <x[n, h], att_src[h]>, for all heads, and the same for att_dst if given.
template <class T>
void node_terms(const Gat<T>& g, acc_t<T>* alpha_src, acc_t<T>* alpha_dst) {
  for_each_node_chunk(g.num_src, [&](int64_t, int64_t first, int64_t last) {
    row_products<T>(g, g.x, {g.att_src, 0, alpha_src, g.Hp}, {g.att_dst, 0, alpha_dst, g.Hp}, first,
                    last);
  });
}

// out; then the tensors that the backward pass needs: see fused.py.
using Results = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

template <class T>
Results forward(const Gat<T>& g, const std::optional<Tensor>& alpha_dst_,
                const std::optional<Tensor>& bias, bool concat, bool save, bool positive,
                ScalarType dtype) {
  using A = acc_t<T>;
  const auto wanted = [](bool yes, int64_t size) { return yes ? size : 0; };
  const ScalarType acc = acc_dtype<T>();
  Tensor out = empty({g.num_dst, concat ? g.H * g.C : g.C}, dtype);
  Tensor heads_out = empty({wanted(save, g.num_dst), g.H, g.C}, acc);
  Tensor alpha_src = empty({g.num_src, g.Hp}, acc);
  Tensor alpha_dst = empty({g.num_dst, g.Hp}, acc);
  Tensor shift = empty({wanted(save, g.num_dst), g.Hp}, acc);
  Tensor weight_sum = empty({wanted(save, g.num_dst), g.Hp}, acc);
  Tensor positive_out = empty({wanted(positive, g.num_dst), g.H, g.C}, acc);
  Tensor positive_weight = empty({wanted(positive, g.num_dst), g.Hp}, acc);
  if (bias) check_tensor(*bias, "bias", acc, {concat ? g.H * g.C : g.C});

  A* src_terms = alpha_src.mutable_data_ptr<A>();
  A* dst_terms = alpha_dst.mutable_data_ptr<A>();
  node_terms(g, src_terms, dst_terms);
  if (!g.att_dst) {
    std::fill_n(dst_terms, g.num_dst * g.Hp, A(0));
    if (alpha_dst_) {
      check_tensor(*alpha_dst_, "alpha_dst", acc, {g.num_dst, g.H});
      const A* given = alpha_dst_->const_data_ptr<A>();
      for (int64_t i = 0; i < g.num_dst; ++i)
        std::copy_n(given + i * g.H, g.H, dst_terms + i * g.Hp);
    }
  }

  const Scratch<A> mean(!concat && g.H > kMostHeads<A> ? g.num_dst * g.C : 0);
  BoundsFlag flag;
  const Rows rows(g.num_dst, g.csr.ptr);
  const Edges edges{g.csr, nullptr, g.number(), g.num_src, g.csr.num_entries, g.num_loops,
                    edges_ahead<T>(g.H * g.C), &flag};
  const bool whole = g.factorizes(src_terms, dst_terms);
  const Scratch<A> src_factors(whole ? g.num_src * 2 * g.Hp : 0);
  const Scratch<A> dst_factors(whole ? g.num_dst * 2 * g.Hp : 0);
  if (whole) {
    node_factors(g.Hp, src_terms, g.num_src, src_factors.data(), OfSrc<A>{g.slope});
    node_factors(g.Hp, dst_terms, g.num_dst, dst_factors.data(), OfDst<A>{g.slope});
  }
  const Gathered<T> x(g.x, g.num_src, g.H * g.C, g.csr.num_entries);
  for_each_group<A>(g, whole, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    using Tiles = std::decay_t<decltype(tiles)>;
    const auto accumulate = [&](const auto& score) {
      using Kernel = Forward<T, P, std::decay_t<decltype(score)>, Tiles>;
      const typename Kernel::Outputs outputs{
          out.mutable_data_ptr<T>(),
          bias ? bias->template const_data_ptr<A>() : nullptr,
          concat,
          mean.data(),
          save ? heads_out.mutable_data_ptr<A>() : nullptr,
          save ? shift.mutable_data_ptr<A>() : nullptr,
          save ? weight_sum.mutable_data_ptr<A>() : nullptr,
          positive ? positive_out.mutable_data_ptr<A>() : nullptr,
          positive ? positive_weight.mutable_data_ptr<A>() : nullptr};
      const Kernel kernel(g, edges, x, h0, heads, tiles, score, outputs);
      accumulate_rows<A>(rows, kernel);
    };
    if constexpr (Tiles::whole) {
      accumulate(FactorScore<A, P>{src_factors.data(), dst_factors.data(), src_terms, dst_terms,
                                   g.slope});
    } else {
      accumulate(Score<A, P>{src_terms + h0, dst_terms + h0, g.edge, g.Hp, h0, heads, g.slope});
    }
  });
  flag.check("col: index out of range");
  return {out,   heads_out,  alpha_src,    alpha_dst,
          shift, weight_sum, positive_out, positive_weight};
}

Results gat(const Tensor& x, const Tensor& att_src, std::optional<Tensor> att_dst,
            std::optional<Tensor> alpha_dst, std::optional<Tensor> edge,
            std::optional<Tensor> loop, std::optional<Tensor> bias, bool concat, bool save,
            bool positive, Tensors csr, Tensors /*csr_t*/, bool add_self_loops,
            double negative_slope, double dropout, std::optional<Tensor> seed) {
  return dispatch_storage(x, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const Gat<T> g(x, att_src, att_dst, edge, loop, csr, add_self_loops, negative_slope, dropout,
                   seed);
    return forward(g, alpha_dst, bias, concat, save, positive, x.scalar_type());
  });
}

}  // namespace

void register_gat(StableLibrary& library) { library.impl("gat", TORCH_BOX(&gat)); }

}  // namespace gatsparse::GATSPARSE_ISA
