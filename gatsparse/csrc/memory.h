// Memory of tensors and of single calls. Large blocks are on huge pages, where a gathered row
// costs no address translation, and are kept for the next call of the same size: new pages would
// be filled with zeros by the operating system, which takes longer than many a kernel.
#pragma once

#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <vector>

namespace gatsparse {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// An uninitialised tensor. A large one cannot be resized beyond its storage.
Tensor empty(const std::vector<int64_t>& sizes, ScalarType dtype);

// The same, but its memory is not kept: for graphs, which are built once.
Tensor empty_once(const std::vector<int64_t>& sizes, ScalarType dtype);

// Whether this memory is that of a large tensor of empty(), which is on huge pages.
bool is_kept(const void* data);

// Returns the kept blocks that are not in use to the operating system.
void release_kept_memory();

// Memory for the time of one call.
class Memory {
 public:
  explicit Memory(size_t bytes);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();
  void* data() const { return data_; }

 private:
  void* data_;
  size_t bytes_;
};

// Uninitialised numbers for the time of one call.
template <class A>
class Scratch {
 public:
  explicit Scratch(int64_t size) : memory_(static_cast<size_t>(size) * sizeof(A)) {}
  A* data() const { return static_cast<A*>(memory_.data()); }

 private:
  Memory memory_;
};

// Sets `scratch`, and returns whether there is enough memory for it.
template <class A>
bool allocate(std::optional<Scratch<A>>& scratch, int64_t size) {
  try {
    scratch.emplace(size);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace gatsparse
