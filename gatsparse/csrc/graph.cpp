// Graph structure: edges to CSR and CSR to its transpose, both by a parallel,
// stable counting sort.
#include "rows.h"

#include <limits>

namespace gatsparse {
namespace {

// A stable counting sort of `num_items` items by key, 0 <= key < num_keys.
//
// Items are cut into contiguous blocks, one thread each. visit(begin, end, g) calls
// g(item, key) for the items of a block in order. Fills ptr[0 .. num_keys], then
// calls emit(position, item). The result does not depend on the number of blocks.
template <class Visit, class Emit>
void counting_sort(int64_t num_items, int64_t num_keys, int64_t* ptr, const char* what,
                   const Visit& visit, const Emit& emit) {
  // Each block counts all keys, so few items per key must not mean many blocks.
  const int64_t most = 1 + num_items / std::max<int64_t>(num_keys, 1 << 14);
  const int64_t blocks = std::min<int64_t>(torch::stable::get_num_threads(), most);
  const int64_t block_size = (num_items + blocks - 1) / blocks;
  const auto for_each_block = [&](const auto& f) {
    torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        f(b, std::min(b * block_size, num_items), std::min((b + 1) * block_size, num_items));
    });
  };

  BoundsFlag flag;
  std::vector<int64_t> position(blocks * num_keys, 0);
  for_each_block([&](int64_t b, int64_t begin, int64_t end) {
    int64_t* count = position.data() + b * num_keys;
    visit(begin, end, [&](int64_t, int64_t key) {
      if (flag.in_bounds(key, num_keys)) ++count[key];
    });
  });
  flag.check(what);

  int64_t total = 0;
  for (int64_t key = 0; key < num_keys; ++key) {
    ptr[key] = total;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = position[b * num_keys + key];
      position[b * num_keys + key] = total;
      total += count;
    }
  }
  ptr[num_keys] = total;

  for_each_block([&](int64_t b, int64_t begin, int64_t end) {
    int64_t* next = position.data() + b * num_keys;
    visit(begin, end, [&](int64_t item, int64_t key) { emit(next[key]++, item); });
  });
}

Tensors allocate_csr(int64_t num_rows, int64_t num_edges, ScalarType dtype) {
  return {empty({num_rows + 1}, ScalarType::Long), empty({num_edges}, dtype),
          empty({num_edges}, dtype)};
}

// row, col int64 [E] -> rowptr int64 [num_rows + 1], col and perm [E], int32 if `narrow`:
// the edges in order of row, in the order they came within a row.
Tensors coo_to_csr(const Tensor& row, const Tensor& col, int64_t num_rows, int64_t num_cols,
                   bool narrow) {
  const int64_t num_edges = row.numel();
  check_tensor(row, "row", ScalarType::Long, {num_edges});
  check_tensor(col, "col", ScalarType::Long, {num_edges});
  STD_TORCH_CHECK(num_rows >= 0 && num_cols >= 0, "expected sizes >= 0");
  STD_TORCH_CHECK(!narrow || std::max({num_rows, num_cols, num_edges}) <=
                                 std::numeric_limits<int32_t>::max(),
                  "narrow: the graph does not fit int32");
  const int64_t* row_of = row.const_data_ptr<int64_t>();
  const int64_t* col_of = col.const_data_ptr<int64_t>();
  const auto sort = [&](auto index) {
    using index_t = typename decltype(index)::type;
    Tensors csr = allocate_csr(num_rows, num_edges,
                               sizeof(index_t) == 4 ? ScalarType::Int : ScalarType::Long);
    index_t* sorted_col = csr[1].mutable_data_ptr<index_t>();
    index_t* perm = csr[2].mutable_data_ptr<index_t>();
    BoundsFlag flag;
    counting_sort(
        num_edges, num_rows, csr[0].mutable_data_ptr<int64_t>(), "row: index out of range",
        [&](int64_t begin, int64_t end, const auto& g) {
          for (int64_t e = begin; e < end; ++e) g(e, row_of[e]);
        },
        [&](int64_t position, int64_t e) {
          flag.in_bounds(col_of[e], num_cols);
          sorted_col[position] = static_cast<index_t>(col_of[e]);
          perm[position] = static_cast<index_t>(e);
        });
    flag.check("col: index out of range");
    return csr;
  };
  return narrow ? sort(Type<int32_t>{}) : sort(Type<int64_t>{});
}

// [rowptr, col, perm] -> [rowptr_t, col_t, perm_t] over num_cols rows: the edges in
// order of col; col_t is the row an edge came from, perm_t its position in `csr`.
Tensors csr_transpose(Tensors csr, int64_t num_cols) {
  STD_TORCH_CHECK(num_cols >= 0, "num_cols: expected >= 0, got ", num_cols);
  STD_TORCH_CHECK(csr.size() == 3, "expected [rowptr, col, perm]");
  const auto transpose = [&](auto index) {
    using index_t = typename decltype(index)::type;
    const Csr in(csr);
    Tensors out = allocate_csr(num_cols, in.num_entries, csr[1].scalar_type());
    index_t* col_t = out[1].template mutable_data_ptr<index_t>();
    index_t* perm_t = out[2].template mutable_data_ptr<index_t>();
    std::vector<index_t> row_of(in.num_entries);
    Rows(in.num_rows, in.ptr).for_each_chunk([&](int64_t, int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        std::fill(row_of.begin() + in.ptr[i], row_of.begin() + in.ptr[i + 1],
                  static_cast<index_t>(i));
    });
    counting_sort(
        in.num_entries, num_cols, out[0].template mutable_data_ptr<int64_t>(),
        "col: index out of range",
        [&](int64_t begin, int64_t end, const auto& g) {
          for (int64_t e = begin; e < end; ++e) g(e, in.index[e]);
        },
        [&](int64_t position, int64_t e) {
          col_t[position] = row_of[e];
          perm_t[position] = static_cast<index_t>(e);
        });
    return out;
  };
  if (csr[1].scalar_type() == ScalarType::Int) return transpose(Type<int32_t>{});
  return transpose(Type<int64_t>{});
}

}  // namespace

void register_graph(StableLibrary& library) {
  library.impl("coo_to_csr", TORCH_BOX(&coo_to_csr));
  library.impl("csr_transpose", TORCH_BOX(&csr_transpose));
}

}  // namespace gatsparse
