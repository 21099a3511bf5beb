// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/token_table.h"

namespace llama_gpu::text {

Result<std::unique_ptr<const Tokenizer>> Tokenizer::create(const TokenizerSpec& spec) {
  TRY(const TokenIndex index, check_tokens(spec));
  if (spec.model == "gpt2") return BpeTokenizer::create(spec, index);
  if (spec.model == "llama") return SentencePieceTokenizer::create(spec, index);
  return Error{ErrorCode::kUnsupportedModel,
               "the model needs a tokenizer of kind " + in_quotes(spec.model) +
                   " (tokenizer.ggml.model), known are 'gpt2' and 'llama'",
               "use a model with a BPE or SentencePiece tokenizer"};
}

Tokenizer::Tokenizer(TokenTable table) : table_(std::make_unique<const TokenTable>(std::move(table))) {
  for (const std::string& bytes : table_->bytes) max_token_bytes_ = std::max(max_token_bytes_, bytes.size());
}
Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::encode(std::span<const TextSpan> spans, bool add_special) const {
  std::string text;
  std::vector<ByteRange> special_ranges;
  for (const TextSpan& span : spans) {
    const ByteRange range{text.size(), text.size() + span.text.size()};
    text += span.text;
    if (!span.parse_special) continue;
    if (!special_ranges.empty() && special_ranges.back().end == range.begin) {
      special_ranges.back().end = range.end;
    } else {
      special_ranges.push_back(range);
    }
  }
  return encode_text(text, special_ranges, add_special);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special, bool add_special) const {
  const ByteRange whole{0, text.size()};
  return encode_text(text, {&whole, parse_special ? size_t{1} : size_t{0}}, add_special);
}

std::vector<TokenId> Tokenizer::encode_text(std::string_view text, std::span<const ByteRange> special_ranges,
                                            bool add_special) const {
  std::vector<TokenId> tokens;
  const auto add_run = [&](size_t begin, size_t end) {
    if (begin == end) return;
    const std::vector<TokenId> run = encode_run(text.substr(begin, end - begin));
    tokens.insert(tokens.end(), run.begin(), run.end());
  };
  if (add_special && table_->add_bos) tokens.push_back(*table_->bos);
  size_t done = 0;
  while (const auto match = table_->special.find(text, done, special_ranges)) {
    add_run(done, match->place.begin);
    tokens.push_back(match->id);
    done = match->place.end;
  }
  add_run(done, text.size());
  if (add_special && table_->add_eos) tokens.push_back(*table_->eos);
  return tokens;
}

size_t Tokenizer::checked(TokenId token) const {
  CHECK(token >= 0 && token < vocab_size(), "a token outside the vocabulary");
  return static_cast<size_t>(token);
}

std::string_view Tokenizer::token_bytes(TokenId token) const { return table_->bytes[checked(token)]; }

std::string Tokenizer::decode(std::span<const TokenId> tokens) const {
  std::string bytes;
  for (const TokenId token : tokens) bytes += token_bytes(token);
  const bool has_added_space = table_->adds_leading_space && bytes.starts_with(' ');
  return repair_utf8(std::string_view(bytes).substr(has_added_space ? 1 : 0));
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(table_->bytes.size()); }
TokenKind Tokenizer::kind(TokenId token) const { return table_->kinds[checked(token)]; }
std::optional<TokenId> Tokenizer::bos() const { return table_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return table_->eos; }
bool Tokenizer::ends_generation(TokenId token) const { return table_->ends_generation[checked(token)]; }
bool Tokenizer::adds_leading_space() const { return table_->adds_leading_space; }

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool is_continuation)
    : tokenizer_(tokenizer), at_start_(!is_continuation && tokenizer.adds_leading_space()) {}

std::string Detokenizer::append(TokenId token) {
  const TokenKind kind = tokenizer_.kind(token);
  if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) return {};
  std::string_view bytes = tokenizer_.token_bytes(token);
  if (at_start_ && bytes.starts_with(' ')) bytes.remove_prefix(1);
  at_start_ = false;
  pending_ += bytes;

  size_t complete = 0;
  while (complete < pending_.size()) {
    const Utf8Char c = first_utf8_char(std::string_view(pending_).substr(complete));
    if (c.is_incomplete) break;
    complete += c.size_bytes;
  }
  std::string text = repair_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string Detokenizer::finish() { return repair_utf8(std::exchange(pending_, {})); }

}  // namespace llama_gpu::text
