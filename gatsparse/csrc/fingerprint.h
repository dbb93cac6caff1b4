#pragma once

#include <cstdint>

namespace gatsparse {

// The fingerprint of `size` bytes.
uint64_t fingerprint(const void* data, int64_t size);

}  // namespace gatsparse
