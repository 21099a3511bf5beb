// SPDX-License-Identifier: Apache-2.0
#include "golden/golden_data.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace llama_gpu::golden {
namespace {

constexpr const char* kModelFile = "SmolLM2-135M-Instruct.Q4_1.gguf";

std::filesystem::path models_folder() {
  if (const char* folder = std::getenv("LLAMAGPU_MODELS")) return folder;
  if (const char* data = std::getenv("XDG_DATA_HOME"))
    return std::filesystem::path(data) / "llama-gpu/models";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/" : home) / ".local/share/llama-gpu/models";
}

GoldenData read_golden_data() {
  std::ifstream file(std::string(LLAMAGPU_TESTDATA) + "/golden/smollm2-135m-instruct-q4_1.json");
  const auto json = nlohmann::json::parse(file);
  GoldenData data;
  for (const auto& row : json.at("score")) {
    data.score.push_back(
        {row.at("text"), row.at("ids"), row.at("logprobs"), row.at("top1"), row.at("margin")});
  }
  for (const auto& row : json.at("generate")) {
    data.generate.push_back({row.at("text"), row.at("prompt_ids"), row.at("ids"), row.at("margins")});
  }
  return data;
}

}  // namespace

const GoldenData& golden_data() {
  static const GoldenData data = read_golden_data();
  return data;
}

std::string default_model_path() {
  const char* given = std::getenv("LLAMAGPU_TEST_MODEL");
  const std::filesystem::path path =
      given != nullptr ? std::filesystem::path(given) : models_folder() / kModelFile;
  EXPECT_TRUE(std::filesystem::exists(path))
      << "the default model is not at " << path << ": run 'make model'";
  return path.string();
}

}  // namespace llama_gpu::golden
