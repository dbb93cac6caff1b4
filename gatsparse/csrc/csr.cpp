#include "csr.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <new>
#include <stdexcept>

namespace gatsparse {
namespace {

constexpr std::align_val_t kAlignment{64};

[[noreturn]] void fail(size_t bytes) {
  throw std::runtime_error("can't allocate memory: " + std::to_string(bytes) + " bytes");
}

// Requests huge pages for a large new tensor: its page faults would take longer than a kernel
// needs to fill it.
void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr uintptr_t kPage = 4096;
  if (bytes < (int64_t{4} << 20)) return;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // best effort
#endif
}

}  // namespace

Tensor empty(const std::vector<int64_t>& sizes, ScalarType dtype) {
  try {
    Tensor tensor = torch::stable::empty(sizes, dtype);
    int64_t bytes = tensor.element_size();
    for (const int64_t size : sizes) bytes *= size;
    advise_huge_pages(tensor.mutable_data_ptr(), bytes);
    return tensor;
  } catch (const std::exception&) {  // across the stable ABI the reason is lost
    std::string shape;
    for (const int64_t size : sizes) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    throw std::runtime_error("can't allocate memory: a tensor of shape [" + shape + "]");
  }
}

Memory::Memory(size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr size_t kHugePage = size_t{2} << 20;
  if (bytes >= 2 * kHugePage) {
    mapped_ = bytes + kHugePage;
    memory_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) fail(bytes);
    const uintptr_t first = (reinterpret_cast<uintptr_t>(memory_) + kHugePage - 1) / kHugePage;
    data_ = reinterpret_cast<void*>(first * kHugePage);
    madvise(data_, bytes, MADV_HUGEPAGE);  // best effort
    return;
  }
#endif
  memory_ = data_ = ::operator new(bytes, kAlignment, std::nothrow);
  if (!memory_) fail(bytes);
}

Memory::~Memory() {
#ifdef MADV_HUGEPAGE
  if (mapped_ > 0) {
    munmap(memory_, mapped_);
    return;
  }
#endif
  ::operator delete(memory_, kAlignment);
}

void check_tensor(const Tensor& tensor, const char* name, ScalarType dtype,
                  const std::vector<int64_t>& sizes) {
  STD_TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous(), name,
                  ": expected a contiguous CPU tensor");
  STD_TORCH_CHECK(tensor.scalar_type() == dtype, name, ": unexpected dtype");
  STD_TORCH_CHECK(tensor.dim() == static_cast<int64_t>(sizes.size()), name, ": expected ",
                  sizes.size(), " dimensions, got ", tensor.dim());
  for (size_t d = 0; d < sizes.size(); ++d)
    STD_TORCH_CHECK(tensor.size(d) == sizes[d], name, ": expected size ", sizes[d],
                    " in dimension ", d, ", got ", tensor.size(d));
}

Csr::Csr(const Tensors& csr) {
  STD_TORCH_CHECK(csr.size() == 3, "expected [rowptr, col, perm], got ", csr.size(),
                  " tensors");
  num_rows = csr[0].numel() - 1;
  num_entries = csr[1].numel();
  STD_TORCH_CHECK(num_rows >= 0, "rowptr: expected at least one entry");
  const auto dtype = csr[1].scalar_type();
  STD_TORCH_CHECK(dtype == ScalarType::Int || dtype == ScalarType::Long,
                  "col: expected int32 or int64");
  check_tensor(csr[0], "rowptr", ScalarType::Long, {num_rows + 1});
  check_tensor(csr[1], "col", dtype, {num_entries});
  check_tensor(csr[2], "perm", dtype, {num_entries});
  ptr = csr[0].const_data_ptr<int64_t>();
  index = {csr[1].const_data_ptr(), dtype == ScalarType::Long};
  perm = {csr[2].const_data_ptr(), dtype == ScalarType::Long};
  bool sorted = ptr[0] == 0 && ptr[num_rows] == num_entries;
  for (int64_t i = 0; i < num_rows; ++i) sorted &= ptr[i] <= ptr[i + 1];
  STD_TORCH_CHECK(sorted, "rowptr: expected to rise from 0 to ", num_entries);
}

}  // namespace gatsparse
