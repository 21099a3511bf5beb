// SPDX-License-Identifier: Apache-2.0
// Writes a tiny random model for end-to-end tests: make-tiny-model FILE [NAME=VALUE...]
#include <charconv>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "support/tiny_model.h"

namespace llama_gpu::test_support {
namespace {

constexpr const char* kUsage =
    "usage: make-tiny-model FILE [dtype=q8_0] [dim=64] [ffn=96] [layers=2] [heads=4] [kv_heads=2] "
    "[vocab=320]\n"
    "                       [context=512] [seed=1] [tokenizer=bpe|spm] [tied=0|1]\n";

bool set_number(std::string_view value, int64_t& place) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), place);
  return error == std::errc{} && end == value.data() + value.size() && place >= 0 && place <= 1'000'000;
}

// Takes NAME=VALUE into `options`; false where it is none of the usage.
bool set_option(TinyModelOptions& options, std::string_view name, std::string_view value) {
  if (name == "dtype") {
    const auto dtype = dtype_from_name(value);
    if (dtype) options.dtype = *dtype;
    return dtype.has_value();
  }
  if (name == "tokenizer") {
    options.tokenizer = value == "spm" ? TinyTokenizer::kSentencePiece : TinyTokenizer::kByteBpe;
    return value == "spm" || value == "bpe";
  }
  int64_t number = 0;
  if (!set_number(value, number)) return false;
  if (name == "tied") {
    options.has_output = number == 0;
    return true;
  }
  const std::map<std::string_view, int64_t*> wide = {{"dim", &options.model_dim}, {"ffn", &options.ffn_dim}};
  const std::map<std::string_view, int32_t*> narrow = {{"layers", &options.num_layers},
                                                       {"heads", &options.num_heads},
                                                       {"kv_heads", &options.num_kv_heads},
                                                       {"context", &options.context_tokens},
                                                       {"vocab", &options.vocab_size}};
  if (wide.contains(name)) return *wide.at(name) = number, true;
  if (narrow.contains(name)) return *narrow.at(name) = static_cast<int32_t>(number), true;
  if (name == "seed") return options.seed = static_cast<uint32_t>(number), true;
  return false;
}

}  // namespace
}  // namespace llama_gpu::test_support

int main(int argc, char** argv) {
  using namespace llama_gpu::test_support;
  TinyModelOptions options;
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string_view::npos ||
        !set_option(options, argument.substr(0, equals), argument.substr(equals + 1))) {
      std::fprintf(stderr, "make-tiny-model: '%s' is not an option\n%s", argv[i], kUsage);
      return 2;
    }
  }
  if (argc < 2) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const auto written = write_tiny_llama(argv[1], options);
  if (!written.ok()) std::fprintf(stderr, "make-tiny-model: %s\n", written.error().message.c_str());
  return written.ok() ? 0 : 1;
}
