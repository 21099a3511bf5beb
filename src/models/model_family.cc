// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "models/llama.h"
#include "models/model.h"

namespace llama_gpu::models {
namespace {

constexpr std::array kFamilies = {
    ModelFamily{"llama", load_llama},
};

}  // namespace

std::span<const ModelFamily> model_families() { return kFamilies; }

Result<std::unique_ptr<const Model>> load_model(const formats::Checkpoint& checkpoint, Backend& backend) {
  TRY(const std::string architecture, checkpoint.metadata().string("general.architecture"));
  std::string known;
  for (const ModelFamily& family : kFamilies) {
    if (family.architecture == architecture) return family.load(checkpoint, backend);
    known += (known.empty() ? "'" : ", '") + std::string(family.architecture) + "'";
  }
  return Error{ErrorCode::kUnsupportedModel,
               "general.architecture is '" + architecture + "', this program runs " + known,
               "choose a model of one of these architectures"};
}

}  // namespace llama_gpu::models
