// SPDX-License-Identifier: Apache-2.0
//
// tokenize-file MODEL.gguf < TEXTS.json: for each text of a JSON array, its tokens with special tokens parsed
// ("ids"), without ("plain_ids"), and the text of the former ("text"), as a JSON array.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/load_tokenizer.h"
#include "formats/checkpoint.h"

namespace llama_gpu {
namespace {

using nlohmann::json;

Result<json> tokenize(const std::string& path, const json& texts) {
  TRY(const std::unique_ptr<formats::Checkpoint> checkpoint, formats::open_checkpoint(path));
  TRY(const std::unique_ptr<const text::Tokenizer> tokenizer, engine::load_tokenizer(checkpoint->metadata()));
  json answers = json::array();
  for (const json& entry : texts) {
    const std::string text = entry.get<std::string>();
    const auto ids = tokenizer->encode(text, /*parse_special=*/true, /*add_special=*/false);
    const auto plain_ids = tokenizer->encode(text, /*parse_special=*/false, /*add_special=*/false);
    answers.push_back({{"ids", ids}, {"plain_ids", plain_ids}, {"text", tokenizer->decode(ids)}});
  }
  return answers;
}

}  // namespace
}  // namespace llama_gpu

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tokenize-file MODEL.gguf < TEXTS.json\n");
    return 2;
  }
  const auto answers = llama_gpu::tokenize(argv[1], nlohmann::json::parse(std::cin));
  if (!answers.ok()) {
    std::fprintf(stderr, "%s\n", answers.error().message.c_str());
    return 1;
  }
  std::cout << answers->dump() << '\n';
}
