// The edges of a row: their numbers, and the visit of all of them, in blocks or one by one.
#pragma once

#include <optional>

#include "rows.h"
#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {

constexpr int64_t kBlock = 32;

// Optional numbers of every edge: a table of the edges in the caller's order, and a table of the
// loops, which follow them.
template <class X>
struct EdgeTable {
  bool given = false;
  const X* edge = nullptr;
  const X* loop = nullptr;
  int64_t num_edges = 0, length = 0;

  EdgeTable(const std::optional<Tensor>& edge_, const std::optional<Tensor>& loop_,
            ScalarType dtype, int64_t num_edges_, int64_t num_loops,
            std::vector<int64_t> row)
      : num_edges(num_edges_), length(1) {
    for (const int64_t size : row) length *= size;
    STD_TORCH_CHECK(!edge_ || loop_ || num_loops == 0, "loop: expected for edge, got none");
    given = edge_.has_value();
    if (!given) return;
    row.insert(row.begin(), num_edges);
    check_tensor(*edge_, "edge", dtype, row);
    edge = edge_->template const_data_ptr<X>();
    if (!loop_) return;
    row[0] = num_loops;
    check_tensor(*loop_, "loop", dtype, row);
    loop = loop_->template const_data_ptr<X>();
  }
  explicit operator bool() const { return given; }
  const X* row(int64_t number) const {
    return number < num_edges ? edge + number * length : loop + (number - num_edges) * length;
  }
};

// The edges of a block: the node at the other end, the edge's place in csr, its number, and the
// node at the other end of the edge that is `ahead` edges later. The last id is repeated three
// times, for loops that process four edges at a time.
struct Block {
  int64_t size, num_skipped;
  int64_t id[kBlock + 3], slot[kBlock], number[kBlock], next[kBlock];
  int64_t skipped[kBlock];  // the numbers of self-loops that virtual ones replace

  void add(int64_t id_, int64_t slot_, int64_t number_, int64_t next_) {
    id[size] = id_;
    slot[size] = slot_;
    number[size] = number_;
    next[size++] = next_;
  }
  void pad() {
    for (int k = 0; k < 3; ++k) id[size + k] = id[size - 1];
  }
};

// The entries of rows, in-edges or out-edges, with their virtual loops.
struct Edges {
  const Csr& rows;
  const Index* slot;    // position of an entry in csr; null: same as in rows
  const Index* number;  // number of a slot; null: not needed
  int64_t num_others, num_edges, num_loops;
  int64_t ahead;        // how many edges ahead rows are prefetched
  BoundsFlag* flag;

  // Calls visit(block, first) for the entries begin .. end-1 of a row, then for its loop if these
  // are the last; calls skip(number) for loops among them that virtual loops replace.
  template <class Skip, class Visit>
  GATSPARSE_INLINE void visit_blocks(int64_t row, int64_t begin, int64_t end, const Skip& skip,
                                     const Visit& visit) const {
    Block block;
    bool loop = has_loop(row, end), first = true;
    for (int64_t t = begin; t < end || loop;) {
      if (rows.index.wide) t = collect<int64_t>(block, row, t, end);
      else t = collect<int32_t>(block, row, t, end);
      for (int64_t k = 0; k < block.num_skipped; ++k) skip(block.skipped[k]);
      if (t == end && loop && block.size < kBlock) {
        block.add(row, num_edges + row, num_edges + row, row);
        loop = false;
      }
      if (block.size == 0) continue;
      block.pad();
      visit(block, first);
      first = false;
    }
  }

  // Calls visit(id, slot, next id, next slot) for each entry instead, where `next` refers to the
  // edge that is `ahead` edges later; the slot of a loop is its number.
  template <class Visit>
  GATSPARSE_INLINE void visit_each(int64_t row, int64_t begin, int64_t end,
                                   const Visit& visit) const {
    if (rows.index.wide) visit_entries<int64_t>(row, begin, end, visit);
    else visit_entries<int32_t>(row, begin, end, visit);
    const int64_t loop = num_edges + row;
    if (has_loop(row, end)) visit(row, loop, row, loop);
  }

 private:
  // `slot` has the type of `rows.index`: see Csr.
  template <class index_t, class Visit>
  GATSPARSE_INLINE void visit_entries(int64_t row, int64_t begin, int64_t end,
                                      const Visit& visit) const {
    const index_t* ids = rows.index.as<index_t>();
    const index_t* slots = slot ? slot->as<index_t>() : nullptr;
    const int64_t loop = num_loops > 0 ? row : -1, last = num_edges - 1, bound = num_others;
    const int64_t distance = ahead;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t id = ids[t], later = std::min(t + distance, last);
      if (!flag->in_bounds(id, bound) || id == loop) continue;
      const int64_t at = slots ? slots[t] : t;
      if (slots && !flag->in_bounds(at, num_edges)) continue;
      visit(id, at, ids[later], slots ? slots[later] : later);
    }
  }

  bool has_loop(int64_t row, int64_t end) const {
    return end == rows.ptr[row + 1] && row < num_loops;
  }

  // Fills a block with entries t .. end-1, and returns the first entry that did not fit.
  template <class index_t>
  GATSPARSE_NOINLINE int64_t collect(Block& block, int64_t row, int64_t t, int64_t end) const {
    const index_t* index = rows.index.as<index_t>();
    block.size = block.num_skipped = 0;
    for (; t < end && block.size < kBlock && block.num_skipped < kBlock; ++t) {
      const int64_t other = index[t], next = index[std::min(t + ahead, num_edges - 1)];
      if (!flag->in_bounds(other, num_others)) continue;
      const bool loop = num_loops > 0 && other == row;
      if (!slot && !number) {
        if (!loop) block.add(other, t, 0, next);
        continue;
      }
      const int64_t at = slot ? (*slot)[t] : t;
      if (!flag->in_bounds(at, num_edges)) continue;
      const int64_t edge = number ? (*number)[at] : 0;
      if (!flag->in_bounds(edge, num_edges)) continue;
      if (loop) block.skipped[block.num_skipped++] = edge;
      else block.add(other, at, edge, next);
    }
    return t;
  }
};

// Rows are prefetched so far ahead that they fill at most a first-level cache of 32 KB.
template <class T>
int64_t edges_ahead(int64_t row_length) {
  const int64_t bytes = std::max<int64_t>(row_length, 1) * static_cast<int64_t>(sizeof(T));
  return std::clamp<int64_t>(32768 / bytes, 4, 64);
}

}  // namespace gatsparse::GATSPARSE_ISA
