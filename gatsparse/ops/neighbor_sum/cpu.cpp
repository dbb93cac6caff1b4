// Sums of neighbours' rows on CPU.
#include "edges.h"
#include "tiles.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// The rows of x [N_src, F] summed over the in-edges of every destination.
Tensor neighbor_sum(const Tensor& x, Tensors csr_, Tensors /*csr_t*/) {
  const Csr csr(csr_);
  STD_TORCH_CHECK(x.dim() == 2, "x: expected [N, F], got ", x.dim(), " dimensions");
  const int64_t num_src = x.size(0), F = x.size(1);
  check_tensor(x, "x", x.scalar_type(), {num_src, F});
  Tensor out_ = empty({csr.num_rows, F}, x.scalar_type());
  BoundsFlag flag;
  dispatch_storage(x, [&](auto storage) {
    using T = typename decltype(storage)::type;
    using A = acc_t<T>;
    const T* table = x.const_data_ptr<T>();
    T* out = out_.mutable_data_ptr<T>();
    const int64_t ahead = edges_ahead<T>(F);
    const auto sum = [&](const auto* index) {
      Rows(csr.num_rows, csr.ptr).for_each_chunk([&](int64_t, int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
          for_each_tile_of_head<A>(0, F, [&](auto tile) {
            using Tile = decltype(tile);
            Vec<A> total[Tile::vectors] = {};
            for (int64_t e = csr.ptr[i]; e < csr.ptr[i + 1]; ++e) {
              if (e + ahead < csr.num_entries) tile.prefetch(table, F, index[e + ahead]);
              const int64_t j = index[e];
              if (!flag.in_bounds(j, num_src)) continue;
              unroll<Tile::vectors>([&](auto v) { total[v] += tile.read(table + j * F, v); });
            }
            unroll<Tile::vectors>([&](auto v) { tile.write(out + i * F, v, total[v]); });
          });
      });
    };
    if (csr.index.wide) sum(csr.index.as<int64_t>());
    else sum(csr.index.as<int32_t>());
  });
  flag.check("col: index out of range");
  return out_;
}

}  // namespace

void register_neighbor_sum(StableLibrary& library) {
  library.impl("neighbor_sum", TORCH_BOX(&neighbor_sum));
}

}  // namespace gatsparse::GATSPARSE_ISA
