// SPDX-License-Identifier: Apache-2.0
#include "support/default_model.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace llama_gpu::test_support {
namespace {

constexpr const char* kFile = "SmolLM2-135M-Instruct.Q4_1.gguf";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string models_folder() {
  if (const std::string folder = environment("LLAMAGPU_MODELS"); !folder.empty()) return folder;
  const std::string data = environment("XDG_DATA_HOME");
  return (data.empty() ? environment("HOME") + "/.local/share" : data) + "/llama-gpu/models";
}

}  // namespace

std::string default_model_path() {
  std::string path = environment("LLAMAGPU_TEST_MODEL");
  if (path.empty()) path = models_folder() + "/" + kFile;
  if (std::filesystem::is_regular_file(path)) return path;
  std::fprintf(stderr, "this test needs the default model, and there is none at %s: run `make model`\n",
               path.c_str());
  std::exit(1);
}

}  // namespace llama_gpu::test_support
