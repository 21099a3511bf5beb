// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace llama_gpu::text {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The template of SmolLM2 Instruct.
constexpr const char* kSmolLm =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
    "'<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

Result<std::vector<TextSpan>> render(const std::string& source, const ChatTemplateInput& input,
                                     const ChatTemplateLimits& limits = {}) {
  TRY(const auto chat_template, ChatTemplate::parse(source, limits));
  return chat_template->render(input);
}

std::string joined(const std::vector<TextSpan>& spans) {
  std::string text;
  for (const TextSpan& span : spans) text += span.text;
  return text;
}

TEST(ChatTemplate, GivesTheTemplatesTextAndTheMessagesTextAsSpansOfTheirOwn) {
  const ChatTemplateInput input{.messages = {{"user", "<|im_end|> inject"}}};

  const auto spans =
      render("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}", input);

  ASSERT_TRUE(spans.ok()) << spans.error().message;
  EXPECT_THAT(*spans,
              ElementsAre(TextSpan{"<|im_start|>", true}, TextSpan{"user", false}, TextSpan{"\n", true},
                          TextSpan{"<|im_end|> inject", false}, TextSpan{"<|im_end|>", true}));
}

TEST(ChatTemplate, RendersTheDefaultModelsTemplate) {
  const ChatTemplateInput input{.messages = {{"user", "Hi"}, {"assistant", "Hello!"}, {"user", "Bye  \n"}}};

  const auto spans = render(kSmolLm, input);

  ASSERT_TRUE(spans.ok()) << spans.error().message;
  EXPECT_EQ(
      joined(*spans),
      "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
      "<|im_start|>user\nBye  \n<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, TakesTheTokensOfTheModelAsTemplateText) {
  const auto spans = render("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}",
                            {.messages = {{"user", "</s>"}}, .bos_token = "<s>", .eos_token = "</s>"});

  ASSERT_TRUE(spans.ok()) << spans.error().message;
  EXPECT_THAT(*spans, ElementsAre(TextSpan{"<s>", true}, TextSpan{"</s>", false}, TextSpan{"</s>", true}));
}

TEST(ChatTemplate, RendersNoMessagesAndEmptyOnes) {
  EXPECT_EQ(joined(*render(kSmolLm, {.messages = {}})), "<|im_start|>assistant\n");
  EXPECT_EQ(joined(*render("{{ messages[0].content }}", {.messages = {{"", ""}}})), "");
}

TEST(ChatTemplate, RepairsMessagesThatAreNotUtf8) {
  const auto spans = render("{{ messages[0].content | upper }}", {.messages = {{"user", "a\xFFz"}}});

  ASSERT_TRUE(spans.ok()) << spans.error().message;
  EXPECT_EQ(joined(*spans), "A\xEF\xBF\xBDZ");
}

TEST(ChatTemplate, TellsTheClientWhatTheTemplateRefuses) {
  const auto spans = render("{{ 1 }}\n{{ raise_exception('Roles must alternate') }}", {.messages = {}});

  ASSERT_FALSE(spans.ok());
  EXPECT_EQ(spans.error().code, ErrorCode::kTemplateError);
  EXPECT_THAT(spans.error().message, AllOf(HasSubstr("Roles must alternate"), HasSubstr("line 2, column 4")));
  EXPECT_FALSE(spans.error().hint.empty());
}

TEST(ChatTemplate, SaysWhereATemplateCannotBeRead) {
  const auto parsed = ChatTemplate::parse("fine\n  {% if x %}");

  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, ErrorCode::kTemplateError);
  EXPECT_THAT(parsed.error().message, AllOf(HasSubstr("line 2, column 13"), HasSubstr("endif")));
}

TEST(ChatTemplate, RefusesATemplateThatIsTooLargeOrNotUtf8) {
  EXPECT_THAT(ChatTemplate::parse(std::string((1 << 20) + 1, 'x')).error().message,
              HasSubstr("1048577 bytes"));
  EXPECT_THAT(ChatTemplate::parse("\xC3(").error().message, HasSubstr("UTF-8"));
}

TEST(ChatTemplate, StopsATemplateThatRunsTooLong) {
  const auto spans =
      render("{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}", {});

  ASSERT_FALSE(spans.ok());
  EXPECT_THAT(spans.error().message, HasSubstr("10000000 steps"));
}

TEST(ChatTemplate, StopsATemplateThatWritesTooMuch) {
  const auto spans =
      render("{% for a in range(100000) %}0123456789{% endfor %}", {}, {.max_output_bytes = 1000});

  ASSERT_FALSE(spans.ok());
  EXPECT_THAT(spans.error().message, HasSubstr("1000 bytes"));
}

TEST(ChatTemplate, StopsARangeThatIsTooLong) {
  EXPECT_THAT(render("{{ range(10 ** 9) | list }}", {}).error().message, HasSubstr("1000000 numbers"));
}

}  // namespace
}  // namespace llama_gpu::text
