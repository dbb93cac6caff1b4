// Parallel loops. Their results must not depend on which thread runs an iteration.
#pragma once

#include <cstdint>

namespace gatsparse {

// A reference to a function object, which must outlive it.
template <class Signature>
class FunctionRef;
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <class F>
  FunctionRef(const F& f)
      : object_(&f), call_([](const void* object, Arguments... arguments) -> Result {
          return (*static_cast<const F*>(object))(arguments...);
        }) {}
  Result operator()(Arguments... arguments) const { return call_(object_, arguments...); }

 private:
  const void* object_;
  Result (*call_)(const void*, Arguments...);
};

// Calls f(k) for k in 0 .. n-1. The first calls are made by this thread; the rest is shared with
// other threads if that is expected to save time. Loops with the same number of iterations give
// adjacent iterations to the same thread, as far as their work is even.
void parallel_each(int64_t n, FunctionRef<void(int64_t)> f);

}  // namespace gatsparse
