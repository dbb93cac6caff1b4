// The smallest test framework that the headers of the kernels need: TEST defines a test, CHECK a
// condition. main.cpp runs all tests.
#pragma once

#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

struct Test {
  const char* name;
  void (*run)();
  static std::vector<Test>& all() {
    static std::vector<Test> tests;
    return tests;
  }
  static inline int failures = 0;
};

#define TEST(name)                                                           \
  static void name();                                                        \
  static const bool listed_##name = (Test::all().push_back({#name, name}), true); \
  static void name()

#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
      ++Test::failures;                                              \
    }                                                                \
  } while (false)

// Small integers, whose sums and products are exact in every type.
template <class A>
std::vector<A> small_integers(int64_t n) {
  static std::mt19937 generator(0);
  std::uniform_int_distribution<int> draw(-8, 8);
  std::vector<A> numbers;
  for (int64_t k = 0; k < n; ++k)
    numbers.push_back(static_cast<A>(static_cast<float>(draw(generator))));
  return numbers;
}
