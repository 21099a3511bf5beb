// SPDX-License-Identifier: Apache-2.0
#include "models/weight_loader.h"

#include <bit>
#include <cstring>
#include <set>

#include "base/failpoint.h"
#include "tensor/blocks.h"
#include "tensor/dtype.h"

namespace llama_gpu::models {
namespace {

// Where the half-float scales of a block stand. A quantised value is finite exactly when they are.
struct ScaleOffsets {
  size_t count;
  size_t offsets[2];
};

ScaleOffsets scale_offsets(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return {1, {offsetof(BlockQ4_0, d), 0}};
    case DType::kQ4_1:
      return {2, {offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m)}};
    case DType::kQ8_0:
      return {1, {offsetof(BlockQ8_0, d), 0}};
    case DType::kQ4_K:
      return {2, {offsetof(BlockQ4_K, d), offsetof(BlockQ4_K, dmin)}};
    case DType::kQ6_K:
      return {1, {offsetof(BlockQ6_K, d), 0}};
    default:
      return {1, {0, 0}};  // a plain value is its own scale
  }
}

// Infinite and NaN have all exponent bits set.
bool is_nonfinite_at(const std::byte* bytes, DType dtype) {
  if (dtype == DType::kF32) {
    uint32_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    return (bits & 0x7F800000U) == 0x7F800000U;
  }
  const uint16_t exponent = dtype == DType::kBF16 ? 0x7F80 : 0x7C00;
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return (bits & exponent) == exponent;
}

Error unexpected_tensor(const std::string& name) {
  if (name.ends_with(".bias")) {
    return {ErrorCode::kUnsupportedModel, "tensor '" + name + "' is a bias, which this architecture has not",
            "convert the model again with its own architecture"};
  }
  return {ErrorCode::kModelInvalid,
          "tensor '" + name + "' is not one that the model's architecture and block count use",
          "get the file again, or convert it again"};
}

}  // namespace

std::optional<int64_t> find_nonfinite_row(const HostTensor& tensor) {
  const auto stride = static_cast<size_t>(dtype_info(tensor.dtype).block_bytes);
  const ScaleOffsets scales = scale_offsets(tensor.dtype);
  for (size_t block = 0; block < tensor.bytes.size(); block += stride) {
    for (size_t i = 0; i < scales.count; ++i) {
      if (is_nonfinite_at(tensor.bytes.data() + block + scales.offsets[i], tensor.dtype)) [[unlikely]] {
        return static_cast<int64_t>(block) / row_bytes(tensor.dtype, tensor.cols);
      }
    }
  }
  return std::nullopt;
}

Result<WeightLoader> WeightLoader::create(const formats::Checkpoint& checkpoint, Backend& backend,
                                          const std::vector<TensorSpec>& specs) {
  WeightLoader loader(checkpoint, backend);
  for (const TensorSpec& spec : specs) {
    TRY(const HostTensor tensor, checkpoint.tensor(spec.name, spec.rows, spec.cols));
    loader.tensors_.emplace(spec.name, tensor);
  }
  for (const formats::TensorInfo& info : checkpoint.tensors()) {
    if (!loader.tensors_.contains(info.name)) return unexpected_tensor(info.name);
  }
  return loader;
}

Result<HostTensor> WeightLoader::readable(const std::string& name) const {
  const auto found = tensors_.find(name);
  CHECK(found != tensors_.end(), "a tensor was read that was not asked for");
  TRY_STATUS(failpoint("weights.check"));
  // Before each: a page of a file that was cut short ends the process that touches it.
  TRY_STATUS(checkpoint_.verify_unchanged());
  TRY_STATUS(failpoint("weights.read"));
  return found->second;
}

Result<std::unique_ptr<const Weight>> WeightLoader::pack(const std::string& name) {
  TRY(const HostTensor tensor, readable(name));
  if (const auto row = find_nonfinite_row(tensor)) {
    return Error{ErrorCode::kModelInvalid,
                 "tensor '" + name + "' holds a number that is not finite in row " + std::to_string(*row),
                 "the file is damaged: get it again"};
  }
  auto packed = backend_.pack(tensor);
  if (!packed.ok()) {
    Error error = std::move(packed).error();
    error.message = "tensor '" + name + "': " + error.message;
    return error;
  }
  checkpoint_.release_pages(tensor);
  totals_.packed_bytes += (*packed)->size_bytes();
  totals_.num_parameters += tensor.rows * tensor.cols;
  return std::move(packed).value();
}

Result<std::vector<float>> WeightLoader::floats(const std::string& name) const {
  TRY(const HostTensor tensor, readable(name));
  if (const auto row = find_nonfinite_row(tensor)) {
    return Error{ErrorCode::kModelInvalid, "tensor '" + name + "' holds a number that is not finite",
                 "the file is damaged: get it again"};
  }
  std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.cols));
  dequantize(tensor.dtype, tensor.bytes, values);
  return values;
}

Status require_ops(const Backend& backend) {
  const OpTable& ops = backend.ops();
  const struct {
    const char* name;
    bool present;
  } needed[] = {
      {"begin_step", ops.begin_step != nullptr},   {"embed", ops.embed != nullptr},
      {"rms_norm", ops.rms_norm != nullptr},       {"linear", ops.linear != nullptr},
      {"rope_angles", ops.rope_angles != nullptr}, {"rope", ops.rope != nullptr},
      {"kv_write", ops.kv_write != nullptr},       {"attention", ops.attention != nullptr},
      {"swiglu", ops.swiglu != nullptr},           {"gather_rows", ops.gather_rows != nullptr},
  };
  for (const auto& op : needed) {
    if (op.present) continue;
    return Error{
        ErrorCode::kUnsupportedModel,
        "backend '" + std::string(backend.name()) + "' lacks '" + op.name + "', which this model needs",
        "choose another backend"};
  }
  return {};
}

Status require_head_dim(const Backend& backend, int64_t head_dim) {
  if (head_dim <= backend.max_head_dim()) return {};
  return Error{ErrorCode::kUnsupportedModel,
               "the model's attention heads have " + std::to_string(head_dim) + " values, backend '" +
                   std::string(backend.name()) + "' takes heads of at most " +
                   std::to_string(backend.max_head_dim()),
               "choose another model or backend"};
}

}  // namespace llama_gpu::models
