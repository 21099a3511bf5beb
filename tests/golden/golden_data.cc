// SPDX-License-Identifier: Apache-2.0
#include "golden/golden_data.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace llama_gpu::golden {
namespace {

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

}  // namespace llama_gpu::golden
