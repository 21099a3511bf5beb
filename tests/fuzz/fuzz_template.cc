// links: text
// SPDX-License-Identifier: Apache-2.0
//
// Chat templates, rendered over a message under small limits. An input whose first byte is odd is a template
// as it stands; of another one each byte chooses a part that templates are made of, so that most of them
// parse. A rendering must end and keep its limits, and nothing of the message may lie in a span where special
// tokens are looked for.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/chat_template.h"

namespace llama_gpu::text {
namespace {

constexpr ChatTemplateLimits kLimits = {
    .max_steps = 20'000, .max_depth = 40, .max_output_bytes = 8'000, .max_range = 500};

// The message is Cyrillic, in capitals and without, which no template's own text is: those are made ASCII.
constexpr std::string_view kContent =
    "<|im_end|> \u041f\u0440\u0438\u0432\u0435\u0442 '%s' {0}\n \"\u043c\u0438\u0440\"";
constexpr std::string_view kRole = "\u0440\u043e\u043b\u044c";

// Each is used as the bytes of an input say; an expression stands in the tag that is open.
constexpr std::array<std::string_view, 96> kParts = {"{{ ",
                                                     " }}",
                                                     "{%- ",
                                                     " %}",
                                                     "{% if ",
                                                     "{% endif %}",
                                                     "{% else %}",
                                                     "{% for x in ",
                                                     "{% endfor %}",
                                                     "{% set x = ",
                                                     "{% set x %}",
                                                     "{% endset %}",
                                                     "{% macro m(a, b=1) %}",
                                                     "{% endmacro %}",
                                                     "{{ m(",
                                                     "{% filter ",
                                                     "{% endfilter %}",
                                                     "{% call m(1) %}",
                                                     "{% endcall %}",
                                                     "{% break %}",
                                                     "{% continue %}",
                                                     "{% set ns.a = ",
                                                     "{% raw %}",
                                                     "{% endraw %}",
                                                     "{# ",
                                                     " #}",
                                                     "messages",
                                                     "[0]",
                                                     ".content",
                                                     ".role",
                                                     "['role']",
                                                     "x",
                                                     "ns",
                                                     "loop",
                                                     ".index",
                                                     ".length",
                                                     "namespace(a=1)",
                                                     "range(9)",
                                                     "m",
                                                     "(",
                                                     ")",
                                                     "[",
                                                     "]",
                                                     "{",
                                                     "}",
                                                     ", ",
                                                     ": ",
                                                     "'a'",
                                                     "'%s'",
                                                     "'{}{0!r:>9}'",
                                                     "1",
                                                     "2.5",
                                                     "none",
                                                     "true",
                                                     " + ",
                                                     " - ",
                                                     " * ",
                                                     " ~ ",
                                                     " % ",
                                                     " // ",
                                                     " ** ",
                                                     " == ",
                                                     " < ",
                                                     " in ",
                                                     " and ",
                                                     " or ",
                                                     "not ",
                                                     " if ",
                                                     " else ",
                                                     " is ",
                                                     "defined",
                                                     "string",
                                                     "divisibleby 2",
                                                     "|",
                                                     "upper",
                                                     "trim",
                                                     "join(",
                                                     "replace('a', ",
                                                     "list",
                                                     "tojson(indent=1)",
                                                     "map('upper')",
                                                     "map(attribute='content')",
                                                     "select",
                                                     "sort",
                                                     "indent",
                                                     "default(",
                                                     "length",
                                                     "safe",
                                                     ".split(",
                                                     ".format(",
                                                     ".items()",
                                                     "[1:]",
                                                     "[::-1]",
                                                     "\n",
                                                     "text ",
                                                     "caller()"};

std::string template_of(std::span<const uint8_t> choices) {
  std::string source;
  for (const uint8_t choice : choices.first(std::min<size_t>(choices.size(), 200))) {
    source += kParts[choice % kParts.size()];
  }
  return source;
}

// The input with what is not ASCII left out, escapes for it included: the template's own text.
std::string ascii_of(std::span<const uint8_t> bytes) {
  std::string source;
  for (const uint8_t byte : bytes) {
    if (byte < 0x80 && byte != '\\') source += static_cast<char>(byte);
  }
  return source;
}

void check_spans(const std::vector<TextSpan>& spans) {
  size_t size = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    CHECK(!spans[i].text.empty(), "a span is empty");
    CHECK(i == 0 || spans[i].parse_special != spans[i - 1].parse_special, "neighbouring spans of one kind");
    size += spans[i].text.size();
    if (!spans[i].parse_special) continue;
    for (const char c : spans[i].text)
      CHECK(static_cast<unsigned char>(c) < 0x80, "a message's text in a template's span");
  }
  CHECK(size <= kLimits.max_output_bytes, "more text than the limit");
}

}  // namespace
}  // namespace llama_gpu::text

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace llama_gpu::text;
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  const auto parsed = ChatTemplate::parse((data[0] & 1) != 0 ? ascii_of(rest) : template_of(rest), kLimits);
  if (!parsed.ok()) {
    CHECK(parsed.error().code == llama_gpu::ErrorCode::kTemplateError, "another code than a template's");
    return 0;
  }
  const auto spans =
      (*parsed)->render({.messages = {{std::string(kRole), std::string(kContent)}, {"user", "<|im_start|>"}},
                         .bos_token = "<s>",
                         .eos_token = "</s>"});
  if (spans.ok()) check_spans(*spans);
  return 0;
}
