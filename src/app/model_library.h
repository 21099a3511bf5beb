// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llama_gpu::app {

// The model that is used when none is named. Set-up puts it into the models folder.
inline constexpr std::string_view kDefaultModelId = "smollm2-135m-instruct";
inline constexpr std::string_view kDefaultModelFile = "SmolLM2-135M-Instruct.Q4_1.gguf";
inline constexpr std::string_view kDefaultModelSha256 =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

// A model file in the models folder, or one named by its path.
struct StoredModel {
  std::string id;         // as clients name it
  std::string file_name;  // "SmolLM2-135M-Instruct.Q4_1.gguf"
  std::string path;
  uint64_t size_bytes = 0;
  int64_t modified_unix_seconds = 0;
};

// The folder of model files. Reads it at each call; thread-safe.
class ModelLibrary {
 public:
  // `aliases`: "NAME=MODEL" each, from models.aliases; REQUIRES that parse_alias accepts them.
  explicit ModelLibrary(std::string folder, std::vector<std::string> aliases = {});

  const std::string& folder() const { return folder_; }

  // All *.gguf files, by id. A folder that is not there has none.
  Result<std::vector<StoredModel>> list() const;

  // A model by id, file name, file stem (all in any case), alias, or path. kModelNotFound with the nearest
  // name.
  Result<StoredModel> find(std::string_view name) const;

 private:
  std::string folder_;
  std::vector<std::string> aliases_;
};

// An alias of models.aliases or of `serve --alias`.
struct ModelAlias {
  std::string name;
  std::string model;  // empty where only a name was given
};
Result<ModelAlias> parse_alias(std::string_view text);

// "SmolLM2-135M-Instruct.Q4_1.gguf" -> "smollm2-135m-instruct": lower case, without extension and
// quantisation.
std::string model_id_of_file(std::string_view file_name);

}  // namespace llama_gpu::app
