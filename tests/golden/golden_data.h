// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tensor/token_id.h"

namespace llama_gpu::golden {

// A text under the float32 model of upstream code, every token given: position i scores token i + 1.
struct ScoreRow {
  std::string text;
  std::vector<TokenId> ids;
  std::vector<double> logprobs;  // of ids[i + 1]
  std::vector<TokenId> top1;     // most likely instead
  std::vector<double> margins;   // logit of the most likely less that of the second
};

// What that model answers with the most likely token at each step.
struct GenerateRow {
  std::string text;
  std::vector<TokenId> prompt_ids;
  std::vector<TokenId> ids;
  std::vector<double> margins;  // beside `ids`
};

// tests/golden/smollm2-135m-instruct-q4_1.json, of the default model.
struct GoldenData {
  std::vector<ScoreRow> score;
  std::vector<GenerateRow> generate;
};
const GoldenData& golden_data();

}  // namespace llama_gpu::golden
