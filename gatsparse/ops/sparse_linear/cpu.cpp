// Products of a sparse matrix with dense weights on CPU. The formula is in __init__.py.
#include <limits>
#include <optional>

#include "rows.h"
#include "tiles.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// out [cols, rows] is the transpose of in [rows, cols], computed in squares; squares of float32
// and float64 fit the registers.
template <class T>
void transpose(const T* in, int64_t rows, int64_t cols, T* out) {
  constexpr int64_t kSide = kLanes<acc_t<T>>, kGrain = 1 << 12;
  const int64_t squares = (cols + kSide - 1) / kSide;
  const int64_t grain = std::max<int64_t>(1, kGrain / (kSide * std::max<int64_t>(rows, 1)));
  parallel_each((squares + grain - 1) / grain, [&](int64_t chunk) {
    const int64_t begin = chunk * grain * kSide;
    for (int64_t c0 = begin; c0 < std::min(begin + grain * kSide, cols); c0 += kSide)
      for (int64_t r0 = 0; r0 < rows; r0 += kSide) {
        const int64_t width = std::min(kSide, cols - c0), height = std::min(kSide, rows - r0);
        const T* source = in + r0 * cols + c0;
        T* target = out + c0 * rows + r0;
        if constexpr (std::is_same_v<T, acc_t<T>>)
          if (width == kSide && height == kSide) {
            transpose_square(source, cols, target, rows);
            continue;
          }
        for (int64_t c = 0; c < width; ++c)
          for (int64_t r = 0; r < height; ++r) target[c * rows + r] = source[r * cols + c];
      }
  });
}

// out[row] = sum over the entries of a row of value * table[index], of `width` numbers each; see
// RowKernel. Zeros, of which dropout leaves many, are skipped.
template <class T, class index_t>
class WeightedSum final : public RowKernel<acc_t<T>> {
  using A = acc_t<T>;

 public:
  // `place` is the position of the value of an entry; null: the position of the entry.
  WeightedSum(const Csr& rows, const T* values, const index_t* place, const T* table,
              int64_t num_others, int64_t width, const T* bias, T* out, BoundsFlag& flag)
      : rows_(rows), index_(rows.index.as<index_t>()), place_(place), values_(values),
        table_(table), num_others_(num_others), width_(width), bias_(bias), out_(out),
        flag_(flag) {}

  int64_t state_size() const override { return width_; }
  void sum(int64_t, int64_t begin, int64_t end, A* state) const override {
    alignas(64) A value[kRun + kLanes<A>];
    alignas(64) index_t id[kRun + kLanes<A>];
    const int64_t size = end - begin;
    if (!all_below(index_ + begin, size, num_others_)) return flag_.raise();
    const T* values = values_ + begin;
    T gathered[kRun];
    if (place_) {
      if (!all_below(place_ + begin, size, rows_.num_entries)) return flag_.raise();
      for (int64_t k = 0; k < size; ++k) gathered[k] = values_[place_[begin + k]];
      values = gathered;
    }
    const int64_t n = pick_nonzero(values, index_ + begin, size, value, id);
    for_each_tile_of_head<A>(0, width_, [&](auto tile) {
      using Tile = decltype(tile);
      Vec<A> total[Tile::vectors] = {};
      for (int64_t k = 0; k < n; ++k)
        unroll<Tile::vectors>([&](auto v) {
          total[v] += value[k] * tile.read(table_ + id[k] * width_, v);
        });
      unroll<Tile::vectors>([&](auto v) { tile.write(state, v, total[v]); });
    });
  }
  void merge(A* state, A* part) const override { add_numbers(state, part, width_); }
  void finish(int64_t, int64_t row, A* state) const override {
    T* out = out_ + row * width_;
    for (int64_t o = 0; o < width_; ++o)
      out[o] = static_cast<T>(bias_ ? state[o] + static_cast<A>(bias_[o]) : state[o]);
  }

 private:
  static bool all_below(const index_t* index, int64_t n, int64_t bound) {
    using Unsigned = std::make_unsigned_t<index_t>;
    constexpr int64_t kLargest = std::numeric_limits<index_t>::max();
    if (bound == 0) return n == 0;
    const auto last = static_cast<Unsigned>(std::min(bound - 1, kLargest));
    Unsigned others = 0;
    for (int64_t k = 0; k < n; ++k) others |= static_cast<Unsigned>(index[k]) > last;
    return others == 0;
  }

  const Csr& rows_;
  const index_t *index_, *place_;
  const T *values_, *table_;
  int64_t num_others_, width_;
  const T* bias_;
  T* out_;
  BoundsFlag& flag_;
};

template <class T>
void weighted_sums(const Csr& rows, const T* values, bool by_perm, const T* table,
                   int64_t num_others, int64_t width, const T* bias, T* out) {
  BoundsFlag flag;
  const auto sum = [&](auto index) {
    using index_t = typename decltype(index)::type;
    const index_t* place = by_perm ? rows.perm.as<index_t>() : nullptr;
    const WeightedSum<T, index_t> kernel(rows, values, place, table, num_others, width, bias, out,
                                         flag);
    accumulate_rows<acc_t<T>>(Rows(rows.num_rows, rows.ptr), kernel);
  };
  if (rows.index.wide) sum(Type<int64_t>{});
  else sum(Type<int32_t>{});
  flag.check("csr: index out of range");
}

// out[e] = <grad_out[row of e], table[index[e]]>.
template <class T>
void products_per_entry(const Csr& csr, const T* grad_out, const T* table, int64_t num_others,
                        int64_t width, T* out) {
  using A = acc_t<T>;
  BoundsFlag flag;
  Rows(csr.num_rows, csr.ptr).for_each_chunk([&](int64_t, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      for (int64_t e = csr.ptr[i]; e < csr.ptr[i + 1]; ++e) {
        const int64_t j = csr.index[e];
        if (!flag.in_bounds(j, num_others)) continue;
        const T *left = grad_out + i * width, *right = table + j * width;
        A sum = 0;
        for (int64_t o = 0; o < width; ++o)
          sum += static_cast<A>(left[o]) * static_cast<A>(right[o]);
        out[e] = static_cast<T>(sum);
      }
  });
  flag.check("csr: index out of range");
}

struct Sizes {
  int64_t num_rows, num_features, width;

  Sizes(const Csr& csr, const Tensor& values, const Tensor& weight) : num_rows(csr.num_rows) {
    STD_TORCH_CHECK(weight.dim() == 2, "weight: expected [O, F], got ", weight.dim(),
                    " dimensions");
    width = weight.size(0);
    num_features = weight.size(1);
    check_tensor(weight, "weight", weight.scalar_type(), {width, num_features});
    check_tensor(values, "values", weight.scalar_type(), {csr.num_entries});
  }
};

Tensor sparse_linear(const Tensor& values, const Tensor& weight, std::optional<Tensor> bias,
                     Tensors csr_, Tensors /*csr_t*/) {
  const Csr csr(csr_);
  const Sizes s(csr, values, weight);
  if (bias) check_tensor(*bias, "bias", weight.scalar_type(), {s.width});
  Tensor out = empty({s.num_rows, s.width}, weight.scalar_type());
  dispatch_storage(weight, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const Scratch<T> table(s.num_features * s.width);
    transpose(weight.const_data_ptr<T>(), s.width, s.num_features, table.data());
    weighted_sums<T>(csr, values.const_data_ptr<T>(), false, table.data(), s.num_features, s.width,
                     bias ? bias->const_data_ptr<T>() : nullptr, out.mutable_data_ptr<T>());
  });
  return out;
}

// The gradients of values and of weight; empty if they are not needed.
std::tuple<Tensor, Tensor> sparse_linear_backward(const Tensor& grad_out, const Tensor& values,
                                                  const Tensor& weight, bool of_values,
                                                  bool of_weight, Tensors csr_, Tensors csr_t_) {
  const Csr csr(csr_);
  const Sizes s(csr, values, weight);
  const ScalarType dtype = weight.scalar_type();
  check_tensor(grad_out, "grad_out", dtype, {s.num_rows, s.width});
  Tensor grad_values = empty({of_values ? csr.num_entries : 0}, dtype);
  Tensor grad_weight = empty({of_weight ? s.width : 0, s.num_features}, dtype);
  dispatch_storage(weight, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const T* grad = grad_out.const_data_ptr<T>();
    const Scratch<T> table(s.num_features * s.width);
    if (of_values) {
      transpose(weight.const_data_ptr<T>(), s.width, s.num_features, table.data());
      products_per_entry(csr, grad, table.data(), s.num_features, s.width,
                         grad_values.mutable_data_ptr<T>());
    }
    if (of_weight) {
      const Csr csr_t(csr_t_);
      STD_TORCH_CHECK(
          csr_t.num_rows == s.num_features && csr_t.num_entries == csr.num_entries,
          "csr_t: not the transpose of csr");
      weighted_sums<T>(csr_t, values.const_data_ptr<T>(), true, grad, s.num_rows, s.width, nullptr,
                       table.data());
      transpose<T>(table.data(), s.num_features, s.width, grad_weight.mutable_data_ptr<T>());
    }
  });
  return {grad_values, grad_weight};
}

}  // namespace

void register_sparse_linear(StableLibrary& library) {
  library.impl("sparse_linear", TORCH_BOX(&sparse_linear));
  library.impl("sparse_linear_backward", TORCH_BOX(&sparse_linear_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
