// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/regex.h"

namespace llama_gpu::text {

// How text is cut into words before BPE merges within each: a row of one table, by the name that model files
// use. Immutable: any number of threads share one.
class PreTokenizer {
 public:
  // kUnsupportedModel naming the known ones where there is none of that name.
  static Result<PreTokenizer> create(std::string_view name, RegexOptions options = {});

  // Visits the words of `text` in order; together they are the text. Bytes that are not UTF-8 are words of
  // their own, so that they never change how the characters around them are cut.
  void for_each_word(std::string_view text, const Regex::Visitor& visit) const;

  // A word that is a token as a whole is taken before any merge.
  bool takes_whole_words() const { return takes_whole_words_; }
  // Whether BOS goes in front where the model file does not say.
  bool adds_bos() const { return adds_bos_; }

 private:
  PreTokenizer() = default;
  void cut(size_t stage, std::string_view text, const Regex::Visitor& visit) const;

  std::vector<Regex> stages_;  // each cuts the pieces of the one before
  bool takes_whole_words_ = false;
  bool adds_bos_ = false;
};

}  // namespace llama_gpu::text
