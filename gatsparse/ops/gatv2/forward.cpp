// The forward pass of GATv2 on CPU.
#include "gathered.h"
#include "gatv2.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// out; then the tensors that the backward pass needs: see fused.py.
using Results = std::tuple<Tensor, Tensor, Tensor, Tensor>;

template <class T>
Results forward(const Gatv2<T>& g, const std::optional<Tensor>& bias, bool concat, bool save,
                ScalarType dtype) {
  using A = acc_t<T>;
  const int64_t saved_rows = save ? g.num_dst : 0;
  Tensor out = empty({g.num_dst, concat ? g.H * g.C : g.C}, dtype);
  Tensor heads_out = empty({saved_rows, g.H, g.C}, acc_dtype<T>());
  Tensor shift = empty({saved_rows, g.Hp}, acc_dtype<T>());
  Tensor weight_sum = empty({saved_rows, g.Hp}, acc_dtype<T>());
  if (bias) check_tensor(*bias, "bias", acc_dtype<T>(), {concat ? g.H * g.C : g.C});

  const Scratch<A> mean(!concat && g.H > kMostHeads<A> ? g.num_dst * g.C : 0);
  BoundsFlag flag;
  const Rows rows(g.num_dst, g.csr.ptr);
  const Edges edges{g.csr,       nullptr, g.number(), g.num_src, g.csr.num_entries,
                    g.num_loops, edges_ahead<T>(g.H * g.C), &flag};
  const Gathered<T> x_src(g.x_src, g.num_src, g.H * g.C, g.csr.num_entries);
  for_each_group<A>(g, !g.edge, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    using Kernel = Forward<T, P, Score<T, P>, std::decay_t<decltype(tiles)>>;
    const Score<T, P> score{g, h0, heads};
    const typename Kernel::Outputs outputs{
        out.mutable_data_ptr<T>(),
        bias ? bias->template const_data_ptr<A>() : nullptr,
        concat,
        mean.data(),
        save ? heads_out.mutable_data_ptr<A>() : nullptr,
        save ? shift.mutable_data_ptr<A>() : nullptr,
        save ? weight_sum.mutable_data_ptr<A>() : nullptr,
        nullptr,
        nullptr};
    const Kernel kernel(g, edges, x_src, h0, heads, tiles, score, outputs);
    accumulate_rows<A>(rows, kernel);
  });
  flag.check("col: index out of range");
  return {out, heads_out, shift, weight_sum};
}

Results gatv2(const Tensor& x_src, const Tensor& x_dst, const Tensor& att,
              std::optional<Tensor> edge, std::optional<Tensor> loop, std::optional<Tensor> bias,
              bool concat, bool save, Tensors csr, Tensors /*csr_t*/, bool add_self_loops,
              double negative_slope, double dropout, std::optional<Tensor> seed) {
  return dispatch_storage(x_src, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const Gatv2<T> g(x_src, x_dst, att, edge, loop, csr, add_self_loops, negative_slope, dropout,
                     seed);
    return forward(g, bias, concat, save, x_src.scalar_type());
  });
}

}  // namespace

void register_gatv2(StableLibrary& library) { library.impl("gatv2", TORCH_BOX(&gatv2)); }

}  // namespace gatsparse::GATSPARSE_ISA
