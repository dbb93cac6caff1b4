#include "parallel.h"

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace gatsparse {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// Seconds that it takes to start other threads.
constexpr double kStart = 5e-6;

// Seconds by which other threads end later than this one: a moving average over the regions that
// were shared. It is microseconds on an idle machine, and milliseconds where another process takes
// a core, as a thread that is not running is waited for. Every loop that is not shared lowers it,
// so that sharing is tried again after some hundred loops.
std::atomic<double> expected_delay{0.0};
constexpr double kLatest = 0.25, kDecay = 0.98;

// The part of a loop that a thread begins with, on a cache line of its own.
struct alignas(64) Part {
  std::atomic<int64_t> next;
  int64_t end;
};

// Shares first .. n-1 with other threads, and updates the expected delay. Every thread begins with
// its own part of 0 .. n-1, so that in the next loop over the same data, it finds what it wrote in
// its own cache; then it takes over what is left of the others' parts.
void share(int64_t first, int64_t n, int64_t threads, FunctionRef<void(int64_t)> f) {
  constexpr int64_t kTurns = 16;
  const int64_t few = std::max<int64_t>(1, (n - first) / (kTurns * threads));
  std::vector<Part> parts(threads);
  for (int64_t t = 0; t < threads; ++t) {
    parts[t].next = std::max(first, n * t / threads);
    parts[t].end = n * (t + 1) / threads;
  }
  const auto caller = std::this_thread::get_id();
  const auto begin = Clock::now();
  auto end_of_caller = begin;
  torch::stable::parallel_for(0, threads, 1, [&](int64_t thread, int64_t) {
    for (int64_t t = thread; t < thread + threads; ++t) {
      Part& part = parts[t % threads];
      for (int64_t k; (k = part.next.fetch_add(few, std::memory_order_relaxed)) < part.end;)
        for (const int64_t last = std::min(k + few, part.end); k < last; ++k) f(k);
    }
    if (std::this_thread::get_id() == caller) end_of_caller = Clock::now();
  });
  const auto end = Clock::now();
  const double last_turn = seconds(end - begin) / kTurns;  // in which threads may end apart
  const double delay = std::max(0.0, seconds(end - end_of_caller) - last_turn);
  const double expected = expected_delay.load(std::memory_order_relaxed);
  expected_delay.store(expected + kLatest * (delay - expected), std::memory_order_relaxed);
}

}  // namespace

void parallel_each(int64_t n, FunctionRef<void(int64_t)> f) {
  const int64_t most = torch::stable::get_num_threads();
  const double delay = expected_delay.load(std::memory_order_relaxed);
  const auto begin = Clock::now();
  for (int64_t k = 0; k < n;) {
    f(k++);
    const int64_t threads = std::min(n - k, most);
    if (threads <= 1) continue;
    const double rest = seconds(Clock::now() - begin) / static_cast<double>(k * threads) *
                        static_cast<double>((n - k) * (threads - 1));
    if (rest > kStart + delay) return share(k, n, threads, f);
  }
  expected_delay.store(kDecay * delay, std::memory_order_relaxed);
}

}  // namespace gatsparse
