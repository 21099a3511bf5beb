// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;

namespace llama_gpu::text {

// Bounds on matching, and a way to test without machine code made at run time.
struct RegexOptions {
  bool use_jit = true;
  // Steps of one match. A run of n equal characters costs about n steps, so this passes every text that a
  // server takes and still ends within seconds where a pattern backtracks.
  uint32_t match_limit = uint32_t{1} << 28;
};

// A compiled pattern over UTF-8 text. Immutable: any number of threads share one.
class Regex {
 public:
  using Visitor = std::function<void(std::string_view)>;

  // kInternal where `pattern` is wrong or could match the empty text: patterns are ours, never a user's.
  // Where the system forbids making machine code, matching is interpreted: slower, the same pieces.
  static Result<Regex> compile(const std::string& pattern, RegexOptions options = {});

  // Cuts `text` into its matches and what stands between them, in order: the pieces are the text. Where a
  // match runs into the limit, the rest of the text is one piece. REQUIRES: `text` is valid UTF-8.
  void for_each_piece(std::string_view text, const Visitor& visit) const;

 private:
  // Frees what PCRE2 made.
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
    void operator()(pcre2_real_match_context_8* context) const;
  };

  Regex() = default;

  std::unique_ptr<pcre2_real_code_8, Free> code_;
  std::unique_ptr<pcre2_real_match_context_8, Free> limits_;
};

}  // namespace llama_gpu::text
