// simd.h: its functions against the same computations on single numbers.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.h"
#include "exp.h"
#include "simd.h"

using namespace gatsparse::GATSPARSE_ISA;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A page of memory whose neighbours cannot be read or written.
class GuardedPage {
 public:
  GuardedPage() : size_(sysconf(_SC_PAGESIZE)) {
    memory_ = static_cast<char*>(
        mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + size_, size_, PROT_READ | PROT_WRITE);
  }
  ~GuardedPage() { munmap(memory_, 3 * size_); }
  // The last n numbers of the page.
  template <class T>
  T* last(int64_t n) { return reinterpret_cast<T*>(memory_ + 2 * size_) - n; }
  template <class T>
  T* first() { return reinterpret_cast<T*>(memory_ + size_); }

 private:
  size_t size_;
  char* memory_;
};

template <class A, class T, int N>
void check_load_and_store() {
  const auto source = small_integers<T>(N);
  const Vec<A, N> value = load<A, N>(source.data());
  std::vector<T> target(N + 1, T(99.0f));
  store(target.data(), value);
  for (int l = 0; l < N; ++l) {
    CHECK(lane(value, l) == static_cast<A>(source[l]));
    CHECK(static_cast<A>(target[l]) == static_cast<A>(source[l]));
  }
  CHECK(static_cast<A>(target[N]) == A(99));
}

template <class A, class T>
void check_partial() {
  GuardedPage page;
  for (int n = 1; n < kLanes<A>; ++n) {
    const auto numbers = small_integers<T>(n);
    for (T* at : {page.last<T>(n), page.first<T>()}) {
      std::copy(numbers.begin(), numbers.end(), at);
      const Vec<A> value = load_partial<A>(at, n);
      for (int l = 0; l < kLanes<A>; ++l)
        CHECK(value[l] == (l < n ? static_cast<A>(numbers[l]) : A(0)));
    }
    store_partial<A>(page.last<T>(n), A(2) * load_partial<A>(page.last<T>(n), n), n);
    T* first = page.first<T>();
    first[n] = T(99.0f);
    store_partial<A>(first, A(3) * load_partial<A>(first, n), n);
    for (int l = 0; l < n; ++l) {
      CHECK(static_cast<A>(page.last<T>(n)[l]) == A(2) * static_cast<A>(numbers[l]));
      CHECK(static_cast<A>(first[l]) == A(3) * static_cast<A>(numbers[l]));
    }
    CHECK(static_cast<A>(first[n]) == A(99));
  }
}

template <class A, int count, int group>
void check_sum_groups() {
  constexpr int W = kLanes<A>;
  const auto numbers = small_integers<A>(count * W);
  Vec<A> v[count];
  for (int k = 0; k < count; ++k) v[k] = load<A>(numbers.data() + k * W);
  const Vec<A> sums = sum_groups<A, count, group>(v);
  for (int g = 0; g < count * W / group; ++g) {
    A expected = 0;
    for (int l = 0; l < group; ++l) expected += numbers[g * group + l];
    CHECK(sums[g] == expected);
  }
}

template <class A>
void check_all_sum_groups() {
  constexpr int W = kLanes<A>;
  check_sum_groups<A, 1, W>();
  if constexpr (W >= 2) check_sum_groups<A, 2, W>();
  if constexpr (W >= 4) {
    check_sum_groups<A, 4, W>();
    check_sum_groups<A, 2, W / 2>();
    check_sum_groups<A, 4, 4>();
  }
}

template <class A>
void check_lanes() {
  constexpr int W = kLanes<A>;
  const auto a = small_integers<A>(W), b = small_integers<A>(W);
  const Vec<A> va = load<A>(a.data()), vb = load<A>(b.data());
  const Vec<A> mixed = shuffle<A>(va, vb, [](int l) { return l % 2 ? kLanes<A> + l : l; });
  const Vec<A> repeated = repeat<A, 2>(load<A, 2>(a.data()));
  const Vec<A, 2> shorter = resize<A, 2, W>(va);
  const Vec<A> longer = resize<A, W, 2>(shorter);
  for (int l = 0; l < W; ++l) {
    CHECK(mixed[l] == (l % 2 ? b[l] : a[l]));
    CHECK(repeated[l] == a[l % 2]);
  }
  for (int l = 0; l < 2; ++l) {
    CHECK(shorter[l] == a[l]);
    CHECK(longer[l] == a[l]);
  }
  CHECK((resize<A, 1, W>(va)) == a[0]);
}

template <class A, int N>
void check_any_greater() {
  const std::vector<A> zeros(N);
  CHECK(!(any_greater<A, N>(load<A, N>(zeros.data()), load<A, N>(zeros.data()))));
  for (int l = 0; l < N; ++l) {
    std::vector<A> one(N);
    for (const auto& [value, expected] :
         {std::pair<A, bool>{1, true}, {-1, false}, {A(kNan), false}, {A(kInf), true}}) {
      one[l] = value;
      CHECK((any_greater<A, N>(load<A, N>(one.data()), load<A, N>(zeros.data()))) == expected);
    }
  }
}

template <class T>
void check_transpose() {
  constexpr int W = kLanes<T>;
  const int64_t source_stride = W + 3, target_stride = W + 1;
  const auto source = small_integers<T>(W * source_stride);
  std::vector<T> target(W * target_stride, T(99));
  transpose_square(source.data(), source_stride, target.data(), target_stride);
  for (int r = 0; r < W; ++r) {
    for (int c = 0; c < W; ++c)
      CHECK(target[r * target_stride + c] == source[c * source_stride + r]);
    CHECK(target[r * target_stride + W] == T(99));
  }
}

template <class index_t>
void check_pick_nonzero() {
  for (int64_t n = 0; n < 70; ++n) {
    auto values = small_integers<float>(n);
    for (int64_t k = 0; k < n; k += 3) values[k] = 0;
    if (n > 1) values[1] = kNan;
    std::vector<index_t> index(n);
    for (int64_t k = 0; k < n; ++k) index[k] = static_cast<index_t>(100 + k);
    std::vector<float> value(n + kLanes<float>);
    std::vector<index_t> id(n + kLanes<float>);
    const int64_t count = pick_nonzero(values.data(), index.data(), n, value.data(), id.data());
    int64_t expected = 0;
    for (int64_t k = 0; k < n; ++k) {
      if (values[k] == 0) continue;
      CHECK(id[expected] == 100 + k);
      CHECK(value[expected] == values[k] || k == 1);
      ++expected;
    }
    CHECK(count == expected);
  }
}

double ulps(float got, double expected) {
  const float near = static_cast<float>(expected);
  return std::abs(got - expected) / (std::nextafter(near, kInf) - double{near});
}

}  // namespace

TEST(loads_and_stores_keep_every_lane) {
  check_load_and_store<float, float, 1>();
  check_load_and_store<float, float, 4>();
  check_load_and_store<float, float, 16>();
  check_load_and_store<double, double, 8>();
  check_load_and_store<float, BFloat16, 1>();
  check_load_and_store<float, BFloat16, 8>();
  check_load_and_store<float, BFloat16, 16>();
}

TEST(partial_loads_and_stores_touch_nothing_beyond) {
  check_partial<float, float>();
  check_partial<double, double>();
  check_partial<float, BFloat16>();
}

TEST(bfloat16_rounds_to_the_nearest_even) {
  constexpr int W = kLanes<float>;
  // 1 + 2^-7 is the next bfloat16 after 1; halfway between two, the even one is taken.
  const std::pair<float, float> cases[] = {
      {1.0f + 0x1p-9f, 1.0f},           {1.0f + 0x1p-8f, 1.0f},
      {1.0f + 0x1.8p-8f, 1.0f + 0x1p-7f}, {1.0f + 0x1.8p-7f, 1.0f + 0x1p-6f},
      {-1.0f - 0x1.8p-8f, -1.0f - 0x1p-7f}, {kInf, kInf}, {-kInf, -kInf},
      {std::numeric_limits<float>::max(), kInf}, {0x1p-133f, 0x1p-133f}, {-0.0f, -0.0f}};
  for (const auto& [given, expected] : cases) {
    BFloat16 target[W];
    store(target, given - Vec<float>{});
    CHECK(static_cast<float>(target[W - 1]) == expected);
    CHECK(std::signbit(static_cast<float>(target[W - 1])) == std::signbit(given) || given == 0);
  }
  // Rounding must not overflow.
  for (const uint32_t bits : {0x7FFFFFFFu, 0x7F800001u, 0xFF800001u}) {
    BFloat16 target[W];
    store(target, bits_as<float>(bits) - Vec<float>{});
    for (const BFloat16 value : target) CHECK(std::isnan(static_cast<float>(value)));
  }
}

TEST(groups_of_lanes_are_summed) {
  check_all_sum_groups<float>();
  check_all_sum_groups<double>();
}

TEST(lanes_are_moved) {
  check_lanes<float>();
  check_lanes<double>();
  check_transpose<float>();
  check_transpose<double>();
}

TEST(any_greater_looks_at_every_lane) {
  check_any_greater<float, 1>();
  check_any_greater<float, 4>();
  check_any_greater<float, 8>();
  check_any_greater<float, 16>();
  check_any_greater<double, 4>();
}

TEST(numbers_are_added) {
  for (int64_t n = 0; n < 40; ++n) {
    auto target = small_integers<float>(n + 1);
    const auto before = target, source = small_integers<float>(n + 1);
    add_numbers(target.data(), source.data(), n);
    for (int64_t k = 0; k < n; ++k) CHECK(target[k] == before[k] + source[k]);
    CHECK(target[n] == before[n]);
  }
}

TEST(zeros_are_left_out) {
  check_pick_nonzero<int32_t>();
  check_pick_nonzero<int64_t>();
}

TEST(products_are_of_low_halves) {
  const uint64_t a = 0xDEADBEEFFFFFFFFFu;
  const Vec<uint64_t> product = product_of_low_halves(a - Vec<uint64_t>{}, 0xFFFFFFFFu);
  for (int l = 0; l < kLanes<uint64_t>; ++l) CHECK(product[l] == 0xFFFFFFFE00000001u);
}

template <class A>
void check_choices() {
  for (const A value : {A(0), A(-1), A(kInf), std::numeric_limits<A>::denorm_min()}) {
    CHECK(choose(true, value, A(kNan)) == value);
    CHECK(choose(false, A(kNan), value) == value);
  }
  CHECK(std::signbit(choose(true, A(-0.0), A(0))));
  CHECK(std::isnan(choose(A(1) > A(kNan), A(1), A(kNan))));
  Vec<A> a{}, b = A(2) - Vec<A>{};
  a[0] = A(3);
  const Vec<A> larger = choose(a > b, a, b);
  for (int l = 0; l < kLanes<A>; ++l) CHECK(larger[l] == (l == 0 ? A(3) : A(2)));
}

TEST(numbers_and_lanes_are_chosen) {
  check_choices<float>();
  check_choices<double>();
}

TEST(leaky_relu_of_both_signs) {
  CHECK(leaky_relu(2.0f, 0.5f) == 2.0f);
  CHECK(leaky_relu(-2.0f, 0.5f) == -1.0f);
  CHECK(leaky_relu(0.0f, 0.5f) == 0.0f);
  CHECK(std::isnan(leaky_relu(kNan, 0.5f)));
}

TEST(exp_is_within_its_error) {
  constexpr int W = kLanes<float>;
  double worst = 0;
  for (float x = -87.3f; x <= 80.0f; x += 0.0037f) {
    const float value = exp_lanes<W>(x - Vec<float>{})[W - 1];
    worst = std::max(worst, ulps(value, std::exp(double{x})));
  }
  CHECK(worst <= 1.3);
  const auto exp_of = [](float x) { return exp_lanes<4>(x - Vec<float, 4>{})[0]; };
  CHECK(exp_of(0.0f) == 1.0f);
  CHECK(exp_of(-87.4f) == 0.0f);
  CHECK(exp_of(-1e30f) == 0.0f);
  CHECK(exp_of(-kInf) == 0.0f);
  CHECK(std::isnan(exp_of(kNan)));
}

TEST(positive_lanes_are_marked_and_kept) {
  constexpr int W = kLanes<float>;
  for (int marked = -1; marked < W; ++marked) {
    Vec<float> value{};
    value[0] = kNan;
    value[W - 1] = -1.0f;
    if (marked >= 0) value[marked] = 0.5f;
    const uint16_t bits = positive_lanes(value);
    CHECK(bits == (marked < 0 ? 0 : 1 << marked));
    const Vec<float> kept = only_lanes(bits, 3.0f - Vec<float>{});
    for (int l = 0; l < W; ++l) CHECK(kept[l] == (l == marked ? 3.0f : 0.0f));
  }
}
