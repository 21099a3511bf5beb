// SPDX-License-Identifier: Apache-2.0
#include "engine/load_tokenizer.h"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llama_gpu::engine {
namespace {

using formats::Metadata;

// nullopt where the file has no such id.
Result<std::optional<TokenId>> read_id(const Metadata& metadata, std::string_view key) {
  if (metadata.find(key) == nullptr) return std::optional<TokenId>();
  TRY(const int64_t id,
      metadata.integer(key, std::numeric_limits<TokenId>::min(), std::numeric_limits<TokenId>::max()));
  return std::optional(static_cast<TokenId>(id));
}

Result<std::vector<text::TokenKind>> read_kinds(const Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  std::vector<text::TokenKind> kinds;
  if (metadata.find(kKey) == nullptr) return kinds;
  TRY(const std::vector<int64_t> numbers, metadata.integers(kKey));
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 1 || numbers[i] > 6) {
      return Error{ErrorCode::kTokenizerInvalid, std::string(kKey) + " entry " + std::to_string(i) + " is " +
                                                     std::to_string(numbers[i]) + ", expected 1 to 6"};
    }
    kinds.push_back(static_cast<text::TokenKind>(numbers[i]));
  }
  return kinds;
}

// Files made before these keys existed leave them out; the ids are those of the Llama vocabulary.
void assume_sentencepiece_defaults(text::TokenizerSpec& spec) {
  if (!spec.bos) spec.bos = 1;
  if (!spec.eos) spec.eos = 2;
  if (!spec.unknown) spec.unknown = 0;
}

Result<text::TokenizerSpec> read_spec(const Metadata& metadata) {
  text::TokenizerSpec spec;
  TRY(spec.model, metadata.string("tokenizer.ggml.model"));
  TRY(spec.pre, metadata.string_or("tokenizer.ggml.pre", ""));
  TRY(const std::vector<std::string>* tokens, metadata.strings("tokenizer.ggml.tokens"));
  spec.tokens = *tokens;
  TRY(spec.kinds, read_kinds(metadata));
  if (metadata.find("tokenizer.ggml.scores") != nullptr) {
    TRY(spec.scores, metadata.floats("tokenizer.ggml.scores"));
  }
  if (metadata.find("tokenizer.ggml.merges") != nullptr) {
    TRY(const std::vector<std::string>* merges, metadata.strings("tokenizer.ggml.merges"));
    spec.merges = *merges;
  }
  TRY(spec.bos, read_id(metadata, "tokenizer.ggml.bos_token_id"));
  TRY(spec.eos, read_id(metadata, "tokenizer.ggml.eos_token_id"));
  TRY(spec.eot, read_id(metadata, "tokenizer.ggml.eot_token_id"));
  TRY(spec.unknown, read_id(metadata, "tokenizer.ggml.unknown_token_id"));
  if (spec.model == "llama") assume_sentencepiece_defaults(spec);
  if (metadata.find("tokenizer.ggml.add_bos_token") != nullptr) {
    TRY(spec.add_bos, metadata.boolean("tokenizer.ggml.add_bos_token"));
  }
  TRY(spec.add_eos, metadata.boolean_or("tokenizer.ggml.add_eos_token", false));
  TRY(spec.add_space_prefix, metadata.boolean_or("tokenizer.ggml.add_space_prefix", true));
  return spec;
}

}  // namespace

Result<text::TokenizerSpec> tokenizer_spec(const Metadata& metadata) {
  auto spec = read_spec(metadata);
  if (spec.ok()) return spec;
  Error error = std::move(spec).error();
  error.code = ErrorCode::kTokenizerInvalid;  // the getters know only that some metadata is wrong
  return error;
}

Result<std::unique_ptr<const text::Tokenizer>> load_tokenizer(const Metadata& metadata) {
  TRY(const text::TokenizerSpec spec, tokenizer_spec(metadata));
  return text::Tokenizer::create(spec);
}

}  // namespace llama_gpu::engine
