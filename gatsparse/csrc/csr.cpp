#include "csr.h"

namespace gatsparse {

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
