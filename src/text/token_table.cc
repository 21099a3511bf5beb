// SPDX-License-Identifier: Apache-2.0
#include "text/token_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::text {
namespace {

constexpr std::array<std::string_view, 6> kEndNames = {"<|im_end|>",    "<|eot_id|>", "<|end_of_text|>",
                                                       "<|endoftext|>", "<|eom_id|>", "</s>"};
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

Error count_error(std::string_view field, size_t count, const std::string& expected) {
  return tokenizer_error(field, "has " + std::to_string(count) + " entries, expected " + expected);
}

Status check_counts(const TokenizerSpec& spec) {
  const size_t n = spec.tokens.size();
  if (n == 0 || n > kMaxTokens)
    return count_error("tokenizer.ggml.tokens", n, "1 to " + std::to_string(kMaxTokens));
  const std::string one_each = std::to_string(n) + ", one for each token";
  if (!spec.scores.empty() && spec.scores.size() != n)
    return count_error("tokenizer.ggml.scores", spec.scores.size(), one_each);
  if (!spec.kinds.empty() && spec.kinds.size() != n)
    return count_error("tokenizer.ggml.token_type", spec.kinds.size(), one_each);
  if (spec.merges.size() > kMaxMerges)
    return count_error("tokenizer.ggml.merges", spec.merges.size(), "at most " + std::to_string(kMaxMerges));
  return {};
}

Status check_values(const TokenizerSpec& spec) {
  for (size_t i = 0; i < spec.scores.size(); ++i) {
    if (std::isnan(spec.scores[i]))
      return tokenizer_error("tokenizer.ggml.scores", "entry " + std::to_string(i) + " is not a number");
  }
  for (size_t i = 0; i < spec.kinds.size(); ++i) {
    const int kind = static_cast<int>(spec.kinds[i]);
    if (kind < static_cast<int>(TokenKind::kNormal) || kind > static_cast<int>(TokenKind::kByte)) {
      return tokenizer_error("tokenizer.ggml.token_type", "entry " + std::to_string(i) + " is " +
                                                              std::to_string(kind) + ", expected 1 to 6");
    }
  }
  return {};
}

Status check_id(const TokenizerSpec& spec, std::string_view field, std::optional<TokenId> id) {
  if (!id || (*id >= 0 && static_cast<size_t>(*id) < spec.tokens.size())) return {};
  return tokenizer_error(field, "is " + std::to_string(*id) + ", expected a token's number, 0 to " +
                                    std::to_string(spec.tokens.size() - 1));
}

Status check_ids(const TokenizerSpec& spec) {
  TRY_STATUS(check_id(spec, "tokenizer.ggml.bos_token_id", spec.bos));
  TRY_STATUS(check_id(spec, "tokenizer.ggml.eos_token_id", spec.eos));
  TRY_STATUS(check_id(spec, "tokenizer.ggml.eot_token_id", spec.eot));
  TRY_STATUS(check_id(spec, "tokenizer.ggml.unknown_token_id", spec.unknown));
  if (spec.add_bos.value_or(false) && !spec.bos)
    return tokenizer_error("tokenizer.ggml.add_bos_token", "is true, but there is no bos_token_id");
  if (spec.add_eos && !spec.eos)
    return tokenizer_error("tokenizer.ggml.add_eos_token", "is true, but there is no eos_token_id");
  return {};
}

bool is_special(TokenKind kind) {
  return kind == TokenKind::kControl || kind == TokenKind::kUserDefined || kind == TokenKind::kUnknown;
}

bool ends_generation(const TokenizerSpec& spec, TokenId id) {
  if (id == spec.eos || id == spec.eot) return true;
  return kind_of(spec, id) == TokenKind::kControl &&
         std::ranges::find(kEndNames, spec.tokens[static_cast<size_t>(id)]) != kEndNames.end();
}

}  // namespace

Error tokenizer_error(std::string_view field, const std::string& what) {
  return {ErrorCode::kTokenizerInvalid, std::string(field) + " " + what,
          "the model file is damaged or was made by a faulty converter: get it again, or convert it again"};
}

std::string in_quotes(std::string_view text) {
  constexpr size_t kShownBytes = 64;
  return "'" + escape_line(text, kShownBytes) + "'";
}

Result<TokenIndex> check_tokens(const TokenizerSpec& spec) {
  constexpr std::string_view kField = "tokenizer.ggml.tokens";
  TRY_STATUS(check_counts(spec));
  TRY_STATUS(check_values(spec));
  TRY_STATUS(check_ids(spec));
  TokenIndex index;
  index.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const std::string& text = spec.tokens[i];
    const std::string entry = "entry " + std::to_string(i);
    if (text.empty()) return tokenizer_error(kField, entry + " is empty");
    if (text.size() > kMaxTokenBytes) {
      return tokenizer_error(kField, entry + " has " + std::to_string(text.size()) +
                                         " bytes, expected at most " + std::to_string(kMaxTokenBytes));
    }
    const auto [first, is_new] = index.emplace(text, static_cast<TokenId>(i));
    if (!is_new) {
      return tokenizer_error(
          kField, entry + " repeats entry " + std::to_string(first->second) + ", " + in_quotes(text));
    }
  }
  return index;
}

TokenKind kind_of(const TokenizerSpec& spec, TokenId token) {
  return spec.kinds.empty() ? TokenKind::kNormal : spec.kinds[static_cast<size_t>(token)];
}

Result<uint8_t> byte_of(const TokenizerSpec& spec, TokenId token) {
  const std::string& text = spec.tokens[static_cast<size_t>(token)];
  const auto digit = [&](size_t at) {
    const char upper =
        text[at] >= 'a' && text[at] <= 'f' ? static_cast<char>(text[at] - 'a' + 'A') : text[at];
    return kHexDigits.find(upper);
  };
  if (text.size() == 6 && text.starts_with("<0x") && text.ends_with(">") &&
      digit(3) != std::string_view::npos && digit(4) != std::string_view::npos) {
    return static_cast<uint8_t>(digit(3) << 4 | digit(4));
  }
  return tokenizer_error("tokenizer.ggml.tokens", "entry " + std::to_string(token) + " is " +
                                                      in_quotes(text) +
                                                      ", expected <0x00> to <0xFF> for a token of kind byte");
}

TokenTable make_token_table(const TokenizerSpec& spec, std::vector<std::string> bytes) {
  std::vector<SpecialToken> special;
  std::vector<TokenKind> kinds;
  std::vector<bool> ends;
  for (TokenId id = 0; static_cast<size_t>(id) < spec.tokens.size(); ++id) {
    const TokenKind kind = kind_of(spec, id);
    kinds.push_back(kind);
    ends.push_back(ends_generation(spec, id));
    if (is_special(kind))
      special.push_back({spec.tokens[static_cast<size_t>(id)], id, kind == TokenKind::kUserDefined});
  }
  return {.bytes = std::move(bytes),
          .kinds = std::move(kinds),
          .ends_generation = std::move(ends),
          .special = SpecialTokens(std::move(special)),
          .bos = spec.bos,
          .eos = spec.eos,
          .add_bos = spec.add_bos.value_or(false),
          .add_eos = spec.add_eos};
}

}  // namespace llama_gpu::text
