// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "text/pair_merger.h"
#include "text/pre_tokenizer.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

namespace llama_gpu::text {

// Byte-level BPE: a pre-tokenizer cuts the text into words, each word starts as single bytes, and merges join
// neighbours in the order in which training found them. Immutable: any number of threads share one.
class BpeTokenizer final : public Tokenizer {
 public:
  // Checks merges and byte tokens, and the pre-tokenizer's name. REQUIRES: `index` is check_tokens(spec).
  static Result<std::unique_ptr<const Tokenizer>> create(const TokenizerSpec& spec, const TokenIndex& index);

 private:
  struct Parts {
    TokenTable table;
    PreTokenizer pre_tokenizer;
    MergeTable merges;
  };
  BpeTokenizer(Parts parts, const TokenizerSpec& spec, const TokenIndex& index);

  std::vector<TokenId> encode_run(std::string_view text) const override;

  PreTokenizer pre_tokenizer_;
  MergeTable merges_;
  std::array<TokenId, 256> byte_tokens_;                       // negative: the vocabulary has none
  std::unordered_map<std::string_view, TokenId> whole_words_;  // by bytes; empty where no row asks for them
};

}  // namespace llama_gpu::text
