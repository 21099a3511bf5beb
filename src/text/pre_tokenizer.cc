// SPDX-License-Identifier: Apache-2.0
//
// The patterns are those of the models' own tokenizers. They name four classes of characters in braces:
//   {L} letters, {N} numbers, {D} numbers as the Digits step of SmolLM counts them, {Z} white space.
// The classes follow Unicode 16 ({D}: 17), which the tokenizers that trained these models use today. Debian's
// PCRE2 10.42 knows Unicode 14, so what was assigned later stands here by number; {Z} stands here whole,
// since PCRE2 counts U+180E among its spaces and Unicode does not.
#include "text/pre_tokenizer.h"

#include <array>
#include <string>

#include "base/strings.h"

namespace llama_gpu::text {
namespace {

struct CharacterClass {
  std::string_view name;
  std::string_view members;  // what stands inside the brackets of a pattern
};

constexpr std::array<CharacterClass, 4> kClasses = {{
    {"{L}",
     R"(\p{L}\x{1C89}-\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3}\x{10D4A}-\x{10D65})"
     R"(\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}-\x{11240}\x{11380}-\x{11389}\x{1138B})"
     R"(\x{1138E}\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3}\x{11BC0}-\x{11BE0}\x{11F02})"
     R"(\x{11F04}-\x{11F10}\x{11F12}-\x{11F33}\x{1342F}\x{13441}-\x{13446}\x{13460}-\x{143FA})"
     R"(\x{16100}-\x{1611D}\x{16D40}-\x{16D6C}\x{18CFF}\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A})"
     R"(\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB}\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739})"
     R"(\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})"},
    {"{N}", R"(\p{N}\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11F50}-\x{11F59})"
            R"(\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3})"
            R"(\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})"},
    {"{D}", R"(\p{N}\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11DE0}-\x{11DE9})"
            R"(\x{11F50}-\x{11F59}\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{16FF4}-\x{16FF6})"
            R"(\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3}\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})"},
    {"{Z}", R"(\t-\r\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"},
}};

constexpr std::string_view kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?[{L}]+| ?[{N}]+| ?[^{Z}{L}{N}]+|[{Z}]+(?![^{Z}])|[{Z}]+)";
constexpr std::string_view kLlama3Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n{L}{N}]?[{L}]+|[{N}]{1,3}| ?[^{Z}{L}{N}]+[\r\n]*)"
    R"(|[{Z}]*[\r\n]+|[{Z}]+(?![^{Z}])|[{Z}]+)";

struct Row {
  std::string_view name;
  std::array<std::string_view, 2> stages;  // an empty one is none
  bool takes_whole_words = false;
  bool adds_bos = false;
};

constexpr std::array<Row, 3> kRows = {{
    {.name = "gpt-2", .stages = {kGpt2Words}},
    {.name = "smollm", .stages = {"[{D}]", kGpt2Words}},
    {.name = "llama-bpe", .stages = {kLlama3Words}, .takes_whole_words = true, .adds_bos = true},
}};

std::string with_classes(std::string_view pattern) {
  std::string out(pattern);
  for (const CharacterClass& character_class : kClasses) {
    for (size_t at = 0; (at = out.find(character_class.name, at)) != std::string::npos;
         at += character_class.members.size()) {
      out.replace(at, character_class.name.size(), character_class.members);
    }
  }
  return out;
}

Error unknown_name(std::string_view name) {
  std::string known;
  for (const Row& row : kRows) known += (known.empty() ? "'" : ", '") + std::string(row.name) + "'";
  return {ErrorCode::kUnsupportedModel,
          (name.empty() ? "the model file names no pre-tokenizer"
                        : "the model needs the pre-tokenizer '" + escape_line(name, 64) + "'") +
              std::string(" (tokenizer.ggml.pre), known are ") + known,
          "use a model of the SmolLM, Llama 3 or GPT-2 kind, or convert the model again"};
}

// How many bytes from the front of `text` are all characters, or all bytes that are none.
size_t run_of(std::string_view text, bool is_valid) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Char c = first_utf8_char(text.substr(at));
    if (c.is_valid != is_valid) break;
    at += c.size_bytes;
  }
  return at;
}

}  // namespace

Result<PreTokenizer> PreTokenizer::create(std::string_view name, RegexOptions options) {
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    PreTokenizer made;
    made.takes_whole_words_ = row.takes_whole_words;
    made.adds_bos_ = row.adds_bos;
    for (std::string_view stage : row.stages) {
      if (stage.empty()) continue;
      TRY(Regex regex, Regex::compile(with_classes(stage), options));
      made.stages_.push_back(std::move(regex));
    }
    return made;
  }
  return unknown_name(name);
}

void PreTokenizer::for_each_word(std::string_view text, const Regex::Visitor& visit) const {
  while (!text.empty()) {
    const size_t valid_bytes = run_of(text, /*is_valid=*/true);
    cut(0, text.substr(0, valid_bytes), visit);
    text.remove_prefix(valid_bytes);
    const size_t invalid_bytes = run_of(text, /*is_valid=*/false);
    if (invalid_bytes > 0) visit(text.substr(0, invalid_bytes));
    text.remove_prefix(invalid_bytes);
  }
}

void PreTokenizer::cut(size_t stage, std::string_view text, const Regex::Visitor& visit) const {
  if (stage == stages_.size()) return visit(text);
  stages_[stage].for_each_piece(text, [&](std::string_view piece) { cut(stage + 1, piece, visit); });
}

}  // namespace llama_gpu::text
