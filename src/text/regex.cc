// SPDX-License-Identifier: Apache-2.0
#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>

namespace llama_gpu::text {
namespace {

struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

Error pattern_error(const std::string& pattern, const std::string& why) {
  return {ErrorCode::kInternal, "the pattern '" + pattern + "' " + why};
}

}  // namespace

void Regex::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }
void Regex::Free::operator()(pcre2_real_match_context_8* context) const { pcre2_match_context_free(context); }

Result<Regex> Regex::compile(const std::string& pattern, RegexOptions options) {
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  Regex regex;
  regex.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF,
                                  &error, &error_offset, nullptr));
  if (!regex.code_) {
    return pattern_error(pattern, "is wrong at byte " + std::to_string(error_offset) + ", PCRE2 error " +
                                      std::to_string(error));
  }
  uint32_t matches_empty = 0;
  pcre2_pattern_info(regex.code_.get(), PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) return pattern_error(pattern, "can match the empty text");
  // Without JIT (a hardened system refuses it) pcre2_match() interprets: nothing to do here.
  if (options.use_jit) pcre2_jit_compile(regex.code_.get(), PCRE2_JIT_COMPLETE);
  regex.limits_.reset(pcre2_match_context_create(nullptr));
  CHECK(regex.limits_ != nullptr, "no memory for a match context");
  pcre2_set_match_limit(regex.limits_.get(), options.match_limit);
  return regex;
}

void Regex::for_each_piece(std::string_view text, const Visitor& visit) const {
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  CHECK(match != nullptr, "no memory for a match");
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
  const auto find_from = [&](size_t from, uint32_t flags) {
    // Without NO_UTF_CHECK each call would read the whole text: quadratic.
    return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK | flags, match.get(), limits_.get());
  };
  size_t done = 0;
  while (done < text.size()) {
    int found = find_from(done, 0);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = find_from(done, PCRE2_NO_JIT);
    if (found < 0) break;
    if (bounds[0] > done) visit(text.substr(done, bounds[0] - done));
    visit(text.substr(bounds[0], bounds[1] - bounds[0]));
    done = bounds[1];
  }
  if (done < text.size()) visit(text.substr(done));
}

}  // namespace llama_gpu::text
