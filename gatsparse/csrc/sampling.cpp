// Operators for mini-batches: sampled in-edges of nodes, blocks of rows, local numbers of nodes,
// and rows of files.
#include "random.h"
#include "rows.h"

#include <unistd.h>

#include <cerrno>
#include <limits>

namespace gatsparse {
namespace {

constexpr int64_t kAhead = 16;  // how many items ahead memory is prefetched
constexpr int64_t kGrain = 64;  // nodes, whose edges then fit the cache

// Calls f(begin, end) for pieces of the items 0 .. n-1, in parallel.
template <class F>
void for_each_piece(int64_t n, const F& f) {
  parallel_each((n + kGrain - 1) / kGrain, [&](int64_t piece) {
    f(piece * kGrain, std::min((piece + 1) * kGrain, n));
  });
}

// A CSR graph whose rows are checked only when they are visited: most rows are not.
struct InEdges {
  int64_t num_rows, num_entries;
  const int64_t* ptr;
  Index col, perm;

  explicit InEdges(const Tensors& csr) {
    STD_TORCH_CHECK(csr.size() == 3, "expected [rowptr, col, perm], got ", csr.size(), " tensors");
    num_rows = csr[0].numel() - 1;
    num_entries = csr[1].numel();
    const bool wide = csr[1].scalar_type() == ScalarType::Long;
    const ScalarType dtype = wide ? ScalarType::Long : ScalarType::Int;
    check_tensor(csr[0], "rowptr", ScalarType::Long, {num_rows + 1});
    check_tensor(csr[1], "col", dtype, {num_entries});
    check_tensor(csr[2], "perm", dtype, {num_entries});
    ptr = csr[0].const_data_ptr<int64_t>();
    col = {csr[1].const_data_ptr(), wide};
    perm = {csr[2].const_data_ptr(), wide};
  }

  // The number of entries of a row, or -1 if the row does not exist or is invalid.
  int64_t degree(int64_t row) const {
    if (row < 0 || row >= num_rows) return -1;
    const int64_t begin = ptr[row], end = ptr[row + 1];
    return 0 <= begin && begin <= end && end <= num_entries ? end - begin : -1;
  }
};

// k different numbers in 0 .. n-1; all sets have the same probability. Bentley, Floyd:
// "Programming pearls: a sample of brilliance", CACM 30(9), 1987.
class Subset {
 public:
  template <class F>
  void draw(int64_t k, int64_t n, Philox& philox, const F& emit) {
    const bool few = k <= kFew;
    if (!few) table_.assign(table_size(k), -1);
    int64_t count = 0;
    for (int64_t j = n - k; j < n; ++j) {
      int64_t t = static_cast<int64_t>(philox.below(j + 1));
      if (few ? contains(t, count) : !insert(t)) {
        t = j;
        if (!few) insert(t);
      }
      if (few) chosen_[count] = t;
      emit(count++, t);
    }
  }

 private:
  static constexpr int64_t kFew = 32;

  static size_t table_size(int64_t k) {
    size_t size = 1;
    while (size < 2 * static_cast<size_t>(k)) size *= 2;
    return size;
  }
  bool contains(int64_t t, int64_t count) const {
    bool found = false;
    for (int64_t c = 0; c < count; ++c) found |= chosen_[c] == t;
    return found;
  }
  bool insert(int64_t t) {
    const size_t mask = table_.size() - 1;
    size_t slot = static_cast<uint64_t>(t) * 0x9E3779B97F4A7C15 >> 20 & mask;
    for (; table_[slot] != -1; slot = (slot + 1) & mask)
      if (table_[slot] == t) return false;
    table_[slot] = t;
    return true;
  }

  int64_t chosen_[kFew];
  std::vector<int64_t> table_;
};

// Samples `num_neighbors` in-edges of every node of `dst` int64 [M]; all in-edges if it is
// negative, or if a node has no more and `replace` is false. Node k draws from counter (k, hop).
//
// -> ptr int64 [M + 1], src int64 [S] and edge int64 [S], the position in the caller's edges.
Tensors neighbor_sample(Tensors tensors, const Tensor& dst, int64_t num_neighbors, bool replace,
                        int64_t seed, int64_t hop) {
  const InEdges csr(tensors);
  const int64_t num_dst = dst.numel();
  check_tensor(dst, "dst", ScalarType::Long, {num_dst});
  const int64_t* node = dst.const_data_ptr<int64_t>();
  Tensor ptr = empty({num_dst + 1}, ScalarType::Long);
  int64_t* first = ptr.mutable_data_ptr<int64_t>();
  first[0] = 0;
  BoundsFlag flag;
  for_each_piece(num_dst, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      if (k + kAhead < num_dst && flag.in_bounds(node[k + kAhead], csr.num_rows))
        __builtin_prefetch(csr.ptr + node[k + kAhead]);
      const int64_t degree = csr.degree(node[k]);
      if (degree < 0) flag.raise();
      const bool all = num_neighbors < 0 || (!replace && degree <= num_neighbors);
      first[k + 1] = all || degree <= 0 ? degree : num_neighbors;
    }
  });
  flag.check("dst: index out of range");
  bool fits = true;
  for (int64_t k = 0; k < num_dst && fits; ++k)
    fits = !__builtin_add_overflow(first[k + 1], first[k], &first[k + 1]);
  STD_TORCH_CHECK(fits, "num_neighbors: more edges than can be counted");

  Tensor src = empty({first[num_dst]}, ScalarType::Long);
  Tensor edge = empty({first[num_dst]}, ScalarType::Long);
  int64_t* src_of = src.mutable_data_ptr<int64_t>();
  int64_t* edge_of = edge.mutable_data_ptr<int64_t>();
  const auto fill = [&](auto index) {
    using index_t = typename decltype(index)::type;
    const index_t* col = csr.col.as<index_t>();
    const index_t* perm = csr.perm.as<index_t>();
    for_each_piece(num_dst, [&](int64_t begin, int64_t end) {
      Subset subset;
      for (int64_t k = begin; k < end; ++k) {
        if (k + kAhead < num_dst) __builtin_prefetch(csr.ptr + node[k + kAhead]);
        const int64_t row = csr.ptr[node[k]], degree = csr.ptr[node[k] + 1] - row;
        const int64_t count = first[k + 1] - first[k];
        const auto take = [&](int64_t c, int64_t t) {
          edge_of[first[k] + c] = row + t;
          __builtin_prefetch(col + row + t);
          __builtin_prefetch(perm + row + t);
        };
        if (num_neighbors < 0 || (!replace && count == degree)) {
          for (int64_t c = 0; c < count; ++c) take(c, c);
          continue;
        }
        Philox philox(static_cast<uint64_t>(seed), static_cast<uint32_t>(k),
                      static_cast<uint32_t>(k >> 32), static_cast<uint32_t>(hop));
        if (replace) {
          for (int64_t c = 0; c < count; ++c) take(c, static_cast<int64_t>(philox.below(degree)));
        } else {
          subset.draw(count, degree, philox, take);
        }
      }
      for (int64_t s = first[begin]; s < first[end]; ++s) {
        src_of[s] = col[edge_of[s]];
        edge_of[s] = perm[edge_of[s]];
      }
    });
  };
  csr.col.wide ? fill(Type<int64_t>{}) : fill(Type<int32_t>{});
  return {ptr, src, edge};
}

// Numbers nodes in the order in which they occur. `local` int32 [N] holds the number of every
// node that has one, else -1; new nodes get `next`, next + 1, ...
//
// -> the numbers of `node` int64 [S], and the new nodes, int64.
Tensors relabel(const Tensor& node, int64_t next, Tensor local) {
  const int64_t count = node.numel(), num_nodes = local.numel();
  check_tensor(node, "node", ScalarType::Long, {count});
  check_tensor(local, "local", ScalarType::Int, {num_nodes});
  STD_TORCH_CHECK(next >= 0 && next + count <= std::numeric_limits<int32_t>::max(),
                  "next: the nodes do not fit int32");
  const int64_t* node_of = node.const_data_ptr<int64_t>();
  int32_t* number_of = local.mutable_data_ptr<int32_t>();
  BoundsFlag flag;
  for_each_piece(count, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) flag.in_bounds(node_of[s], num_nodes);
  });
  flag.check("node: index out of range");
  Tensor number = empty({count}, ScalarType::Long);
  int64_t* out = number.mutable_data_ptr<int64_t>();
  std::vector<int64_t> met;
  for (int64_t s = 0; s < count; ++s) {
    if (s + kAhead < count) __builtin_prefetch(number_of + node_of[s + kAhead], 1);
    int32_t& known = number_of[node_of[s]];
    if (known < 0) {
      known = static_cast<int32_t>(next + static_cast<int64_t>(met.size()));
      met.push_back(node_of[s]);
    }
    out[s] = known;
  }
  Tensor new_nodes = empty({static_cast<int64_t>(met.size())}, ScalarType::Long);
  std::copy(met.begin(), met.end(), new_nodes.mutable_data_ptr<int64_t>());
  return {number, new_nodes};
}

// A block of rows of a graph with all their in-edges, starting at `first`: as many rows as `limit`
// allows, but at least one. per_src, per_dst and per_edge are the costs of a block. Sources get
// new numbers, the rows of the block first. `local` int32 [N] is -1 before and after the call.
//
// -> rowptr int64 [rows + 1], col int32 [edges], and the nodes of the sources, int64.
Tensors row_block(Tensors tensors, int64_t first, int64_t limit, int64_t per_src, int64_t per_dst,
                  int64_t per_edge, Tensor local) {
  const InEdges csr(tensors);
  const int64_t num_nodes = local.numel();
  check_tensor(local, "local", ScalarType::Int, {num_nodes});
  STD_TORCH_CHECK(csr.num_rows <= num_nodes, "local: expected a number for every node");
  STD_TORCH_CHECK(0 <= first && first < csr.num_rows, "first: expected a row, got ", first);
  int32_t* number_of = local.mutable_data_ptr<int32_t>();
  std::vector<int64_t> met;
  int64_t last = first;
  const auto meet = [&](int64_t node) {
    if (number_of[node] >= 0) return;
    number_of[node] = 0;
    met.push_back(node);
  };
  const auto forget = [&](size_t from) {
    for (size_t k = from; k < met.size(); ++k) number_of[met[k]] = -1;
    met.resize(from);
  };
  while (last < csr.num_rows) {
    const size_t before = met.size();
    bool ok = csr.degree(last) >= 0;
    meet(last);
    for (int64_t e = csr.ptr[last]; ok && e < csr.ptr[last + 1]; ++e) {
      if (e + kAhead < csr.num_entries) {
        const int64_t ahead = csr.col[e + kAhead];
        if (0 <= ahead && ahead < num_nodes) __builtin_prefetch(number_of + ahead, 1);
      }
      const int64_t node = csr.col[e];
      ok = 0 <= node && node < num_nodes;
      if (ok) meet(node);
    }
    if (!ok) forget(0);
    STD_TORCH_CHECK(ok, "csr: index out of range");
    const int64_t edges = csr.ptr[last + 1] - csr.ptr[first], rows = last + 1 - first;
    const int64_t cost =
        per_src * static_cast<int64_t>(met.size()) + per_dst * rows + per_edge * edges;
    if (rows > 1 && cost > limit) {
      forget(before);
      break;
    }
    ++last;
  }

  const int64_t num_rows = last - first, begin = csr.ptr[first];
  const int64_t num_edges = csr.ptr[last] - begin;
  Tensor rowptr = empty({num_rows + 1}, ScalarType::Long);
  Tensor col = empty({num_edges}, ScalarType::Int);
  Tensor nodes = empty({static_cast<int64_t>(met.size())}, ScalarType::Long);
  int64_t* ptr = rowptr.mutable_data_ptr<int64_t>();
  int32_t* number = col.mutable_data_ptr<int32_t>();
  int64_t* node_of = nodes.mutable_data_ptr<int64_t>();
  int64_t count = 0;
  const auto give_number = [&](int64_t node) {
    number_of[node] = static_cast<int32_t>(count);
    node_of[count++] = node;
  };
  for (int64_t row = first; row < last; ++row) give_number(row);
  for (const int64_t node : met)
    if (node < first || node >= last) give_number(node);
  for (int64_t row = 0; row <= num_rows; ++row) ptr[row] = csr.ptr[first + row] - begin;
  for_each_piece(num_rows, [&](int64_t from, int64_t to) {
    for (int64_t e = ptr[from]; e < ptr[to]; ++e) number[e] = number_of[csr.col[begin + e]];
  });
  forget(0);
  return {rowptr, col, nodes};
}

// Reads rows of a file by their numbers, int64 [S], into `out`, which is contiguous and has
// S * row_bytes bytes: row k is at offset + k * row_bytes.
void read_rows(int64_t descriptor, int64_t offset, int64_t row_bytes, const Tensor& index,
               Tensor out) {
  const int64_t count = index.numel();
  check_tensor(index, "index", ScalarType::Long, {count});
  check_tensor(out, "out", ScalarType::Byte, {count * row_bytes});
  const int64_t* row = index.const_data_ptr<int64_t>();
  char* target = static_cast<char*>(out.mutable_data_ptr());
  std::atomic<bool> failed{false};
  for_each_piece(count, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end;) {
      int64_t next = s + 1;  // consecutive rows are read together
      while (next < end && row[next] == row[next - 1] + 1) ++next;
      int64_t left = (next - s) * row_bytes, at = offset + row[s] * row_bytes;
      char* to = target + s * row_bytes;
      while (left > 0) {
        const ssize_t got = row[s] < 0 ? -1 : pread(static_cast<int>(descriptor), to, left, at);
        if (got <= 0) {
          if (got < 0 && row[s] >= 0 && errno == EINTR) continue;
          failed.store(true);
          return;
        }
        left -= got;
        at += got;
        to += got;
      }
      s = next;
    }
  });
  STD_TORCH_CHECK(!failed.load(), "file: a row could not be read");
}

}  // namespace

void register_sampling(StableLibrary& library) {
  library.impl("neighbor_sample", TORCH_BOX(&neighbor_sample));
  library.impl("relabel", TORCH_BOX(&relabel));
  library.impl("row_block", TORCH_BOX(&row_block));
  library.impl("read_rows", TORCH_BOX(&read_rows));
}

}  // namespace gatsparse
