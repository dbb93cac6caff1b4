#include "memory.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#ifdef MADV_HUGEPAGE
// New in torch 2.11; null in older ones.
extern "C" __attribute__((weak)) AOTITorchError torch_from_blob(
    void* data, int64_t ndim, const int64_t* sizes, const int64_t* strides, int64_t storage_offset,
    int32_t dtype, int32_t device_type, int32_t device_index, AtenTensorHandle* result,
    int32_t layout, const uint8_t* opaque_metadata, int64_t opaque_metadata_size,
    void (*deleter)(void* data, void* context), void* context);
#endif

namespace gatsparse {
namespace {

constexpr std::align_val_t kAlignment{64};

[[noreturn]] void fail(size_t bytes) {
  throw std::runtime_error("can't allocate memory: " + std::to_string(bytes) + " bytes");
}

[[noreturn]] void fail(const std::vector<int64_t>& sizes) {
  std::string shape;
  for (const int64_t size : sizes) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  throw std::runtime_error("can't allocate memory: a tensor of shape [" + shape + "]");
}

#ifdef MADV_HUGEPAGE

constexpr size_t kHugePage = size_t{2} << 20, kLarge = 2 * kHugePage;

// Blocks that are in use or kept. Together they are at most a quarter, and at most kMostSpare,
// larger than the blocks that were in use at a time, in the latest kWindow to 2 kWindow requests.
class Blocks {
 public:
  // A block of at least this size; null: no memory left.
  void* acquire(size_t bytes) {
    bytes = whole_pages(bytes);
    const Lock lock(mutex_, kPatience);
    if (!lock) return map(bytes);
    const size_t peak = peak_;
    void* data = kept_or_new(bytes);
    if (data) {
      used_[reinterpret_cast<uintptr_t>(data)] = bytes;
    } else {
      in_use_ -= bytes;
      peak_ = std::max(in_use_, std::min(peak, peak_));
    }
    return data;
  }

  void release(void* data, size_t bytes) {
    bytes = whole_pages(bytes);
    const Lock lock(mutex_, kPatience);
    if (!lock || used_.erase(reinterpret_cast<uintptr_t>(data)) == 0) {
      munmap(data, bytes);
      return;
    }
    in_use_ -= bytes;
#ifdef MADV_FREE
    madvise(data, bytes, MADV_FREE);  // where memory is short, the pages are taken back
#endif
    kept_.push_back({data, bytes});
    kept_bytes_ += bytes;
    trim(limit() - in_use_);
  }

  bool contains(const void* data) {
    const Lock lock(mutex_, kPatience);
    if (!lock) return false;
    const auto address = reinterpret_cast<uintptr_t>(data);
    auto block = used_.upper_bound(address);
    return block != used_.begin() && address < (--block)->first + block->second;
  }

  void release_kept() {
    const Lock lock(mutex_, kPatience);
    if (lock) trim(0);
  }

 private:
  struct Block {
    void* data;
    size_t bytes;
  };

  static constexpr int64_t kWindow = 256;
  static constexpr size_t kMostSpare = size_t{512} << 20;

  // In a child whose parent was inside while it forked, nobody leaves: blocks are then not kept.
  using Lock = std::unique_lock<std::timed_mutex>;
  static constexpr std::chrono::milliseconds kPatience{100};

  static size_t whole_pages(size_t bytes) {
    return (bytes + kHugePage - 1) / kHugePage * kHugePage;
  }

  size_t limit() const {
    const size_t peak = std::max(peak_, earlier_peak_);
    return peak + std::min(peak / 4, kMostSpare);
  }

  static void* map(size_t bytes) {
    void* mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    char* begin = static_cast<char*>(mapped);
    const size_t unaligned = reinterpret_cast<uintptr_t>(begin) % kHugePage;
    const size_t skipped = unaligned == 0 ? 0 : kHugePage - unaligned;
    if (skipped > 0) munmap(begin, skipped);
    munmap(begin + skipped + bytes, kHugePage - skipped);
    madvise(begin + skipped, bytes, MADV_HUGEPAGE);  // best effort
    return begin + skipped;
  }

  void* kept_or_new(size_t bytes) {
    in_use_ += bytes;
    if (++requests_ % kWindow == 0) {
      earlier_peak_ = peak_;
      peak_ = in_use_;
    }
    peak_ = std::max(peak_, in_use_);
    for (auto block = kept_.rbegin(); block != kept_.rend(); ++block) {
      if (block->bytes != bytes) continue;
      void* data = block->data;
      kept_bytes_ -= bytes;
      kept_.erase(std::next(block).base());
      return data;
    }
    trim(limit() - in_use_);
    void* data = map(bytes);
    if (data) return data;
    trim(0);
    return map(bytes);
  }

  // Returns the blocks that were released first, until at most `bytes` are kept.
  void trim(size_t bytes) {
    size_t count = 0;
    for (; kept_bytes_ > bytes; ++count) {
      munmap(kept_[count].data, kept_[count].bytes);
      kept_bytes_ -= kept_[count].bytes;
    }
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  std::timed_mutex mutex_;
  std::map<uintptr_t, size_t> used_;
  std::vector<Block> kept_;  // in the order of their release
  size_t in_use_ = 0, kept_bytes_ = 0, peak_ = 0, earlier_peak_ = 0;
  int64_t requests_ = 0;
};

// Never destroyed: tensors can outlive static objects.
Blocks& blocks() {
  static Blocks& all = *new Blocks;
  return all;
}

void release(void* data, void* bytes) {
  blocks().release(data, reinterpret_cast<uintptr_t>(bytes));
}

// A tensor whose memory goes back to the blocks.
Tensor large_empty(const std::vector<int64_t>& sizes, ScalarType dtype, size_t bytes) {
  void* data = blocks().acquire(bytes);
  if (!data) fail(sizes);
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * sizes[d];
  using torch::stable::detail::from;
  using torch::stable::detail::to;
  AtenTensorHandle handle;
  const AOTITorchError error = torch_from_blob(
      data, static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(), 0,
      to<int32_t>(from(dtype)), aoti_torch_device_type_cpu(), -1, &handle,
      aoti_torch_layout_strided(), nullptr, 0, &release, reinterpret_cast<void*>(bytes));
  if (error != AOTI_TORCH_SUCCESS) {
    blocks().release(data, bytes);
    fail(sizes);
  }
  return Tensor(handle);
}

#endif

}  // namespace

Tensor empty_once(const std::vector<int64_t>& sizes, ScalarType dtype) {
  try {
    return torch::stable::empty(sizes, dtype);
  } catch (const std::exception&) {  // across the stable ABI the reason is lost
    fail(sizes);
  }
}

Tensor empty(const std::vector<int64_t>& sizes, ScalarType dtype) {
#ifdef MADV_HUGEPAGE
  using torch::stable::detail::from;
  using torch::stable::detail::to;
  size_t bytes = aoti_torch_dtype_element_size(to<int32_t>(from(dtype)));
  for (const int64_t size : sizes) {
    if (size < 0) fail(sizes);
    bytes *= static_cast<size_t>(size);
  }
  if (bytes >= kLarge && torch_from_blob) return large_empty(sizes, dtype, bytes);
#endif
  return empty_once(sizes, dtype);
}

bool is_kept([[maybe_unused]] const void* data) {
#ifdef MADV_HUGEPAGE
  return blocks().contains(data);
#else
  return false;
#endif
}

void release_kept_memory() {
#ifdef MADV_HUGEPAGE
  blocks().release_kept();
#endif
}

Memory::Memory(size_t bytes) : bytes_(bytes) {
#ifdef MADV_HUGEPAGE
  if (bytes >= kLarge) {
    data_ = blocks().acquire(bytes);
    if (!data_) fail(bytes);
    return;
  }
#endif
  data_ = ::operator new(bytes, kAlignment, std::nothrow);
  if (!data_) fail(bytes);
}

Memory::~Memory() {
#ifdef MADV_HUGEPAGE
  if (bytes_ >= kLarge) {
    blocks().release(data_, bytes_);
    return;
  }
#endif
  ::operator delete(data_, kAlignment);
}

namespace {

Tensor new_empty(const Tensor& like, std::vector<int64_t> sizes) {
  return empty(sizes, like.scalar_type());
}

}  // namespace

void register_memory(torch::stable::detail::StableLibrary& library) {
  library.impl("new_empty", TORCH_BOX(&new_empty));
}

}  // namespace gatsparse
