// CSR graphs: edges to CSR and CSR to its transpose, both by a parallel, stable counting sort;
// and duplicate edges.
#include "rows.h"

#include <torch/csrc/stable/ops.h>

#include <limits>
#include <utility>

namespace gatsparse {
namespace {

// Calls f(state, k) for k in 0 .. n-1, in parallel, with one state for each thread.
template <class State, class F>
void parallel_each_with(int64_t n, const F& f) {
  const int64_t workers = std::min<int64_t>(n, torch::stable::get_num_threads());
  std::atomic<int64_t> next{0};
  torch::stable::parallel_for(0, workers, 1, [&](int64_t begin, int64_t end) {
    State state;
    for (; begin < end; ++begin)
      for (int64_t k; (k = next.fetch_add(1, std::memory_order_relaxed)) < n;) f(state, k);
  });
}

// The sorted entries of a graph: rows, other ends, positions in the input.
template <class index_t>
struct Sorted {
  int64_t* ptr;
  index_t* other;
  index_t* perm;
};

// A range of keys that is sorted separately, within the caches.
template <class index_t>
struct Bucket {
  std::vector<int64_t> next;
  std::vector<index_t> other, perm;

  // Sorts the items begin .. end-1 by key; `low` is the difference of a key and `first_key`.
  void sort(const Sorted<index_t>& out, const uint16_t* low, int64_t begin, int64_t end,
            int64_t first_key, int64_t num_keys) {
    next.assign(num_keys + 1, 0);
    for (int64_t k = begin; k < end; ++k) ++next[low[k] + 1];
    next[0] = begin;
    for (int64_t key = 0; key < num_keys; ++key) {
      out.ptr[first_key + key] = next[key];
      next[key + 1] += next[key];
    }
    if (num_keys == 1) return;  // already in order
    other.assign(out.other + begin, out.other + end);
    perm.assign(out.perm + begin, out.perm + end);
    for (int64_t k = begin; k < end; ++k) {
      const int64_t position = next[low[k]]++;
      out.other[position] = other[k - begin];
      out.perm[position] = perm[k - begin];
    }
  }
};

// A stable counting sort of `num_items` items by key, 0 <= key < num_keys: first into buckets
// of neighbouring keys, then within each bucket, so that writes are close together.
//
// visit(begin, end, g) calls g(item, key, other) for items in order; other() and the item are
// stored. In addition to the result it needs two bytes per item, and a copy of one bucket per
// thread. The result does not depend on the number of threads.
template <class index_t, class Visit>
void counting_sort(int64_t num_items, int64_t num_keys, const Sorted<index_t>& out,
                   const char* what, const Visit& visit) {
  constexpr int64_t kItems = 1 << 16;  // per bucket, which then fits the cache
  constexpr int kMaxShift = 16;        // of keys in a bucket, so that they fit `low`
  const int64_t wanted = std::max<int64_t>(1, num_items / kItems);
  int shift = 0;
  while (shift < kMaxShift && ((num_keys - 1) >> shift) >= wanted) ++shift;
  const int64_t buckets = num_keys == 0 ? 0 : ((num_keys - 1) >> shift) + 1;
  BoundsFlag flag;

  if (num_items < kItems) {  // too few for more than one thread
    std::vector<int64_t> next(num_keys, 0);
    visit(0, num_items, [&](int64_t, int64_t key, const auto&) {
      if (flag.in_bounds(key, num_keys)) ++next[key];
    });
    flag.check(what);
    int64_t total = 0;
    for (int64_t key = 0; key < num_keys; ++key) {
      out.ptr[key] = total;
      total += next[key];
      next[key] = out.ptr[key];
    }
    out.ptr[num_keys] = total;
    visit(0, num_items, [&](int64_t item, int64_t key, const auto& other) {
      const int64_t position = next[key]++;
      out.other[position] = static_cast<index_t>(other());
      out.perm[position] = static_cast<index_t>(item);
    });
    return;
  }

  // Items are split into contiguous blocks, one thread each; within a bucket, the items of a block
  // follow the items of earlier blocks.
  const int64_t blocks = torch::stable::get_num_threads();
  const int64_t block_size = (num_items + blocks - 1) / blocks;
  const auto for_each_block = [&](const auto& f) {
    torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        f(b, std::min(b * block_size, num_items), std::min((b + 1) * block_size, num_items));
    });
  };
  std::vector<int64_t> position(blocks * buckets, 0);
  for_each_block([&](int64_t b, int64_t begin, int64_t end) {
    int64_t* count = position.data() + b * buckets;
    visit(begin, end, [&](int64_t, int64_t key, const auto&) {
      if (flag.in_bounds(key, num_keys)) ++count[key >> shift];
    });
  });
  flag.check(what);
  std::vector<int64_t> first(buckets + 1, 0);
  int64_t total = 0;
  for (int64_t bucket = 0; bucket < buckets; ++bucket) {
    first[bucket] = total;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = position[b * buckets + bucket];
      position[b * buckets + bucket] = total;
      total += count;
    }
  }
  first[buckets] = out.ptr[num_keys] = total;

  const Scratch<uint16_t> low(num_items);
  for_each_block([&](int64_t b, int64_t begin, int64_t end) {
    int64_t* next = position.data() + b * buckets;
    visit(begin, end, [&](int64_t item, int64_t key, const auto& other) {
      const int64_t k = next[key >> shift]++;
      out.other[k] = static_cast<index_t>(other());
      out.perm[k] = static_cast<index_t>(item);
      low.data()[k] = static_cast<uint16_t>(key & ((int64_t{1} << shift) - 1));
    });
  });
  parallel_each_with<Bucket<index_t>>(buckets, [&](Bucket<index_t>& state, int64_t bucket) {
    const int64_t key = bucket << shift;
    state.sort(out, low.data(), first[bucket], first[bucket + 1], key,
               std::min(int64_t{1} << shift, num_keys - key));
  });
}

Tensors allocate_csr(int64_t num_rows, int64_t num_edges, ScalarType dtype) {
  return {empty_once({num_rows + 1}, ScalarType::Long), empty_once({num_edges}, dtype),
          empty_once({num_edges}, dtype)};
}

template <class index_t>
Sorted<index_t> sorted(Tensors& csr) {
  return {csr[0].mutable_data_ptr<int64_t>(), csr[1].template mutable_data_ptr<index_t>(),
          csr[2].template mutable_data_ptr<index_t>()};
}

template <class F>
auto dispatch_index(ScalarType dtype, const F& f) {
  return dtype == ScalarType::Int ? f(Type<int32_t>{}) : f(Type<int64_t>{});
}

// row, col int32 or int64 [E] -> rowptr int64 [num_rows + 1], col and perm [E], int32 if
// `narrow`: the edges in order of row, and in input order within a row.
Tensors coo_to_csr(const Tensor& row, const Tensor& col, int64_t num_rows, int64_t num_cols,
                   bool narrow) {
  const int64_t num_edges = row.numel();
  const ScalarType given = row.scalar_type();
  STD_TORCH_CHECK(given == ScalarType::Int || given == ScalarType::Long,
                  "row: expected int32 or int64");
  check_tensor(row, "row", given, {num_edges});
  check_tensor(col, "col", given, {num_edges});
  STD_TORCH_CHECK(num_rows >= 0 && num_cols >= 0, "expected sizes >= 0");
  STD_TORCH_CHECK(!narrow || std::max({num_rows, num_cols, num_edges}) <=
                                 std::numeric_limits<int32_t>::max(),
                  "narrow: the graph does not fit int32");
  return dispatch_index(given, [&](auto from) {
    using from_t = typename decltype(from)::type;
    const from_t* row_of = row.const_data_ptr<from_t>();
    const from_t* col_of = col.const_data_ptr<from_t>();
    return dispatch_index(narrow ? ScalarType::Int : ScalarType::Long, [&](auto index) {
      using index_t = typename decltype(index)::type;
      Tensors csr = allocate_csr(num_rows, num_edges, narrow ? ScalarType::Int : ScalarType::Long);
      BoundsFlag flag;
      counting_sort(num_edges, num_rows, sorted<index_t>(csr), "row: index out of range",
                    [&](int64_t begin, int64_t end, const auto& g) {
                      for (int64_t e = begin; e < end; ++e)
                        g(e, row_of[e], [&] {
                          flag.in_bounds(col_of[e], num_cols);
                          return col_of[e];
                        });
                    });
      flag.check("col: index out of range");
      return csr;
    });
  });
}

// [rowptr, col, perm] -> [rowptr_t, col_t, perm_t] over num_cols rows: the edges in
// order of col; col_t is the row of an edge in `csr`, perm_t its position there.
Tensors csr_transpose(Tensors csr, int64_t num_cols) {
  STD_TORCH_CHECK(num_cols >= 0, "num_cols: expected >= 0, got ", num_cols);
  STD_TORCH_CHECK(csr.size() == 3, "expected [rowptr, col, perm]");
  const Csr in(csr);
  return dispatch_index(csr[1].scalar_type(), [&](auto index) {
    using index_t = typename decltype(index)::type;
    Tensors out = allocate_csr(num_cols, in.num_entries, csr[1].scalar_type());
    const index_t* col_of = in.index.as<index_t>();
    counting_sort(in.num_entries, num_cols, sorted<index_t>(out), "col: index out of range",
                  [&](int64_t begin, int64_t end, const auto& g) {
                    int64_t row = std::upper_bound(in.ptr, in.ptr + in.num_rows, begin) - in.ptr - 1;
                    for (int64_t e = begin; e < end; ++e) {
                      while (in.ptr[row + 1] <= e) ++row;
                      g(e, col_of[e], [row] { return row; });
                    }
                  });
    return out;
  });
}

// Positions of two equal edges in the caller's edges, int64 [2]: among all consecutive equal edges
// the pair with the smallest second position; [0] if all edges differ.
Tensor find_duplicate(Tensors csr, int64_t num_cols) {
  const Csr in(csr);
  const Rows rows(in.num_rows, in.ptr);
  BoundsFlag flag;
  const auto for_each_run = [&](const auto& f) {  // f(first, second), for equal edges
    rows.for_each_chunk([&](int64_t, int64_t first, int64_t last) {
      std::vector<std::pair<int64_t, int64_t>> edges;
      for (int64_t row = first; row < last; ++row) {
        edges.clear();
        for (int64_t e = in.ptr[row]; e < in.ptr[row + 1]; ++e) {
          flag.in_bounds(in.index[e], num_cols);
          edges.emplace_back(in.index[e], in.perm[e]);
        }
        std::sort(edges.begin(), edges.end());
        for (size_t k = 1; k < edges.size(); ++k)
          if (edges[k].first == edges[k - 1].first) f(edges[k - 1].second, edges[k].second);
      }
    });
  };
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> earliest{kNone};
  for_each_run([&](int64_t, int64_t second) {
    int64_t known = earliest.load(std::memory_order_relaxed);
    while (second < known && !earliest.compare_exchange_weak(known, second)) {
    }
  });
  flag.check("col: index out of range");
  if (earliest == kNone) return empty_once({0}, ScalarType::Long);
  Tensor pair = empty_once({2}, ScalarType::Long);
  int64_t* position = pair.mutable_data_ptr<int64_t>();
  position[1] = earliest;
  for_each_run([&](int64_t first, int64_t second) {
    if (second == position[1]) position[0] = first;
  });
  return pair;
}

}  // namespace

void register_graph(StableLibrary& library) {
  library.impl("coo_to_csr", TORCH_BOX(&coo_to_csr));
  library.impl("csr_transpose", TORCH_BOX(&csr_transpose));
  library.impl("find_duplicate", TORCH_BOX(&find_duplicate));
}

}  // namespace gatsparse
