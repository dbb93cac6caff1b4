// Random graphs: every edge draws from a separate counter.
#include "random.h"
#include "rows.h"

namespace gatsparse {
namespace {

constexpr int64_t kBlock = 1 << 14;  // edges that one thread draws at a time

// edge_index int64 or int32 [2, num_edges], filled by draw(e, source, target).
template <class F>
Tensor edges(int64_t num_edges, bool narrow, const F& draw) {
  Tensor edge_index = empty({2, num_edges}, narrow ? ScalarType::Int : ScalarType::Long);
  const auto fill = [&](auto index) {
    using index_t = typename decltype(index)::type;
    index_t* source = edge_index.mutable_data_ptr<index_t>();
    index_t* target = source + num_edges;
    parallel_each((num_edges + kBlock - 1) / kBlock, [&](int64_t block) {
      const int64_t end = std::min((block + 1) * kBlock, num_edges);
      for (int64_t e = block * kBlock; e < end; ++e) {
        int64_t i, j;
        draw(e, j, i);
        source[e] = static_cast<index_t>(j);
        target[e] = static_cast<index_t>(i);
      }
    });
  };
  narrow ? fill(Type<int32_t>{}) : fill(Type<int64_t>{});
  return edge_index;
}

Philox of_edge(int64_t seed, int64_t e, int attempt) {
  return Philox(static_cast<uint64_t>(seed), static_cast<uint32_t>(e),
                static_cast<uint32_t>(e >> 32), static_cast<uint32_t>(attempt));
}

// Outcomes of consecutive choices: outcome k for bound[k - 1] <= word < bound[k]. The search
// starts at a guess from the first bits of the word.
struct Outcomes {
  static constexpr int kGuessBits = 12;
  const int64_t* bound;
  const int64_t* source;
  const int64_t* target;
  int64_t last;
  std::vector<int32_t> guess;

  Outcomes(const Tensor& bounds, const Tensor& codes, int64_t count)
      : last(count - 1), guess(1 << kGuessBits) {
    check_tensor(bounds, "bounds", ScalarType::Long, {count - 1});
    check_tensor(codes, "codes", ScalarType::Long, {2, count});
    bound = bounds.const_data_ptr<int64_t>();
    source = codes.const_data_ptr<int64_t>();
    target = source + count;
    int32_t k = 0;
    for (int64_t g = 0; g < 1 << kGuessBits; ++g) {
      while (k < last && bound[k] <= g << (32 - kGuessBits)) ++k;
      guess[g] = k;
    }
  }

  int64_t of(uint32_t word) const {
    int64_t k = guess[word >> (32 - kGuessBits)];
    while (k < last && bound[k] <= word) ++k;
    return k;
  }
};

// Each word of an edge chooses kBits nested quadrants, and the last one `rest` quadrants; an edge
// outside the matrix is drawn again. `order` int64 [num_nodes] renumbers the nodes.
Tensor rmat_edges(const Tensor& order, int64_t num_edges, int64_t seed, int64_t num_bits,
                  Tensors tables, bool narrow) {
  constexpr int64_t kBits = 4;
  const int64_t num_nodes = order.numel(), rest = num_bits % kBits;
  check_tensor(order, "order", ScalarType::Long, {num_nodes});
  STD_TORCH_CHECK(num_edges >= 0 && num_bits >= 0 && num_bits <= 62, "expected sizes >= 0");
  STD_TORCH_CHECK(num_nodes >= 1 && num_nodes <= int64_t{1} << num_bits &&
                      2 * num_nodes > int64_t{1} << num_bits,
                  "num_bits: expected those of the largest index");
  STD_TORCH_CHECK(tables.size() == 4, "tables: expected bounds and codes, twice");
  const Outcomes whole(tables[0], tables[1], int64_t{1} << (2 * kBits));
  const Outcomes part(tables[2], tables[3], int64_t{1} << (2 * rest));
  const int64_t* name = order.const_data_ptr<int64_t>();
  return edges(num_edges, narrow, [&](int64_t e, int64_t& source, int64_t& target) {
    for (int attempt = 0;; ++attempt) {
      Philox philox = of_edge(seed, e, attempt);
      source = target = 0;
      for (int64_t b = kBits; b <= num_bits; b += kBits) {
        const int64_t k = whole.of(philox.word());
        source = source << kBits | whole.source[k];
        target = target << kBits | whole.target[k];
      }
      if (rest > 0) {
        const int64_t k = part.of(philox.word());
        source = source << rest | part.source[k];
        target = target << rest | part.target[k];
      }
      if (source < num_nodes && target < num_nodes) break;
    }
    source = name[source];
    target = name[target];
  });
}

// `members` int64 [N]: the nodes of block 0, then of block 1, ...; block b has the positions
// ptr[b] .. ptr[b + 1]. A target is any node; its source is in the same block if a word is below
// `inside`, else in another block.
Tensor block_edges(const Tensor& members, const Tensor& block_of, const Tensor& ptr,
                   int64_t num_edges, int64_t seed, int64_t inside, bool narrow) {
  const int64_t num_nodes = members.numel(), num_blocks = ptr.numel() - 1;
  check_tensor(members, "members", ScalarType::Long, {num_nodes});
  check_tensor(block_of, "block_of", ScalarType::Long, {num_nodes});
  check_tensor(ptr, "ptr", ScalarType::Long, {num_blocks + 1});
  STD_TORCH_CHECK(num_nodes >= 1 && num_edges >= 0, "expected sizes >= 0");
  const int64_t* member = members.const_data_ptr<int64_t>();
  const int64_t* block = block_of.const_data_ptr<int64_t>();
  const int64_t* first = ptr.const_data_ptr<int64_t>();
  for (int64_t b = 0; b < num_blocks; ++b)
    STD_TORCH_CHECK(first[b] < first[b + 1], "ptr: expected to rise");
  STD_TORCH_CHECK(num_blocks >= 1 && first[0] == 0 && first[num_blocks] == num_nodes,
                  "ptr: expected to rise from 0 to ", num_nodes);
  BoundsFlag flag;
  Tensor edge_index = edges(num_edges, narrow, [&](int64_t e, int64_t& source, int64_t& target) {
    Philox philox = of_edge(seed, e, 0);
    target = static_cast<int64_t>(philox.below(num_nodes));
    source = target;
    const int64_t b = block[target];
    if (!flag.in_bounds(b, num_blocks)) return;
    const int64_t size = first[b + 1] - first[b];
    int64_t position;
    if (philox.word() < static_cast<uint64_t>(inside) || size == num_nodes) {
      position = first[b] + static_cast<int64_t>(philox.below(size));
    } else {
      position = static_cast<int64_t>(philox.below(num_nodes - size));
      if (position >= first[b]) position += size;
    }
    source = member[position];
    if (!flag.in_bounds(source, num_nodes)) source = target;
  });
  flag.check("block_of, members: index out of range");
  return edge_index;
}

}  // namespace

void register_generate(StableLibrary& library) {
  library.impl("rmat_edges", TORCH_BOX(&rmat_edges));
  library.impl("block_edges", TORCH_BOX(&block_edges));
}

}  // namespace gatsparse
