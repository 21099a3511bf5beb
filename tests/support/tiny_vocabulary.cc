// SPDX-License-Identifier: Apache-2.0
#include "support/tiny_vocabulary.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"

namespace llama_gpu::test_support {
namespace {

constexpr int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUnused = 5, kByte = 6;

constexpr std::string_view kChatMl =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + "
    "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// Pairs whose parts are bytes or results of earlier pairs; \u0120 is how byte-level BPE writes a space.
constexpr std::array<std::array<std::string_view, 2>, 24> kMerges = {{
    {"h", "e"},        {"i", "n"},      {"r", "e"},        {"o", "n"},          {"e", "r"},
    {"l", "l"},        {"\u0120", "t"}, {"\u0120", "a"},   {"o", "u"},          {"a", "n"},
    {"\u0120t", "he"}, {"in", "g"},     {"he", "ll"},      {"hell", "o"},       {"w", "o"},
    {"\u0120", "wo"},  {"l", "d"},      {"\u0120wo", "r"}, {"\u0120wor", "ld"}, {"an", "d"},
    {"\u0120", "w"},   {"s", "t"},      {"\u0120", "s"},   {"a", "t"},
}};

std::string utf8_of_two_bytes_at_most(uint32_t code_point) {
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

// The printable character by which byte-level BPE writes a byte: Latin-1's own where it is printable, else
// the next one from U+0100 on.
std::string printable_of_byte(int byte) {
  const auto is_printable = [](int b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  if (is_printable(byte)) return utf8_of_two_bytes_at_most(static_cast<uint32_t>(byte));
  uint32_t code_point = 0x100;
  for (int b = 0; b < byte; ++b) code_point += is_printable(b) ? 0 : 1;
  return utf8_of_two_bytes_at_most(code_point);
}

void add(TinyVocabulary& vocabulary, std::string token, int32_t kind) {
  vocabulary.tokens.push_back(std::move(token));
  vocabulary.kinds.push_back(kind);
}

TinyVocabulary byte_bpe() {
  TinyVocabulary vocabulary;
  for (const char* special : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"})
    add(vocabulary, special, kControl);
  for (int byte = 0; byte < 256; ++byte) add(vocabulary, printable_of_byte(byte), kNormal);
  for (const auto& [left, right] : kMerges) {
    add(vocabulary, std::string(left) + std::string(right), kNormal);
    vocabulary.merges.push_back(std::string(left) + " " + std::string(right));
  }
  return vocabulary;
}

TinyVocabulary sentence_piece() {
  TinyVocabulary vocabulary;
  add(vocabulary, "<unk>", kUnknown);
  add(vocabulary, "<s>", kControl);
  add(vocabulary, "</s>", kControl);
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name{};
    std::snprintf(name.data(), name.size(), "<0x%02X>", static_cast<unsigned>(byte));
    add(vocabulary, name.data(), kByte);
  }
  for (const char* piece :
       {"\u2581t", "he", "\u2581a", "in", "\u2581the", "er", "ll", "ello", "\u2581hello", "\u2581"}) {
    add(vocabulary, piece, kNormal);
  }
  for (char letter = 'a'; letter <= 'z'; ++letter) add(vocabulary, std::string(1, letter), kNormal);
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    vocabulary.scores.push_back(i < 259 ? 0.0F : -static_cast<float>(i - 258));
  }
  return vocabulary;
}

}  // namespace

std::string_view tiny_chat_template() { return kChatMl; }

int32_t tiny_vocab_size(TinyTokenizer tokenizer) {
  return static_cast<int32_t>(tiny_vocabulary(tokenizer).tokens.size());
}

TinyVocabulary tiny_vocabulary(TinyTokenizer tokenizer) {
  return tokenizer == TinyTokenizer::kByteBpe ? byte_bpe() : sentence_piece();
}

void add_tiny_tokenizer(formats::GgufWriter& writer, TinyTokenizer tokenizer, int32_t vocab_size) {
  TinyVocabulary vocabulary = tiny_vocabulary(tokenizer);
  CHECK(vocab_size >= static_cast<int32_t>(vocabulary.tokens.size()), "the vocabulary does not fit");
  while (static_cast<int32_t>(vocabulary.tokens.size()) < vocab_size) {
    add(vocabulary, "[unused" + std::to_string(vocabulary.tokens.size()) + "]", kUnused);
  }
  if (tokenizer == TinyTokenizer::kByteBpe) {
    writer.add_string("tokenizer.ggml.model", "gpt2");
    writer.add_string("tokenizer.ggml.pre", "smollm");
    writer.add_strings("tokenizer.ggml.merges", vocabulary.merges);
    writer.add_u32("tokenizer.ggml.bos_token_id", 1);
    writer.add_u32("tokenizer.ggml.eos_token_id", 2);
    writer.add_bool("tokenizer.ggml.add_bos_token", false);
    writer.add_bool("tokenizer.ggml.add_space_prefix", false);
    writer.add_string("tokenizer.chat_template", kChatMl);
  } else {
    vocabulary.scores.resize(vocabulary.tokens.size(), -1e6F);
    writer.add_string("tokenizer.ggml.model", "llama");
    writer.add_f32s("tokenizer.ggml.scores", vocabulary.scores);
    writer.add_u32("tokenizer.ggml.bos_token_id", 1);
    writer.add_u32("tokenizer.ggml.eos_token_id", 2);
    writer.add_u32("tokenizer.ggml.unknown_token_id", 0);
    writer.add_bool("tokenizer.ggml.add_bos_token", true);
  }
  writer.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
  writer.add_i32s("tokenizer.ggml.token_type", vocabulary.kinds);
}

}  // namespace llama_gpu::test_support
