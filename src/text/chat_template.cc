// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <utility>

#include "base/strings.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace llama_gpu::text {
namespace {

using jinja::Origin;
using jinja::Value;

// Larger than any real template by two orders of magnitude.
constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

Value text_value(const std::string& bytes, Origin origin) {
  return Value::text(is_valid_utf8(bytes) ? bytes : repair_utf8(bytes), origin);
}

Value message_value(const ChatMessage& message) {
  return std::make_shared<const jinja::Dict>(
      jinja::Dict::of({{"role", text_value(message.role, Origin::kMessage)},
                       {"content", text_value(message.content, Origin::kMessage)}}));
}

std::vector<std::pair<std::string, Value>> variables_of(const ChatTemplateInput& input) {
  jinja::Sequence messages;
  messages.nesting = 2;
  for (const ChatMessage& message : input.messages) messages.items.push_back(message_value(message));
  return {{"messages", Value(std::make_shared<const jinja::Sequence>(std::move(messages)))},
          {"add_generation_prompt", Value(input.add_generation_prompt)},
          {"bos_token", text_value(input.bos_token, Origin::kTemplate)},
          {"eos_token", text_value(input.eos_token, Origin::kTemplate)}};
}

class JinjaChatTemplate final : public ChatTemplate {
 public:
  JinjaChatTemplate(std::shared_ptr<const jinja::Program> program, const ChatTemplateLimits& limits)
      : program_(std::move(program)), limits_(limits) {}

  Result<std::vector<TextSpan>> render(const ChatTemplateInput& input) const override {
    jinja::Runtime runtime(limits_, program_->source, input.now_unix_seconds);
    jinja::Interpreter interpreter(*program_, runtime);
    TRY(const jinja::TaggedText text, interpreter.run(variables_of(input)));
    TRY(const jinja::MemoryCharge spans, runtime.charge(text.num_runs() * sizeof(TextSpan) + text.size()));
    return text.spans();
  }

 private:
  std::shared_ptr<const jinja::Program> program_;
  ChatTemplateLimits limits_;
};

}  // namespace

Result<std::unique_ptr<const ChatTemplate>> ChatTemplate::parse(std::string_view source,
                                                                ChatTemplateLimits limits) {
  if (source.size() > kMaxTemplateBytes) {
    return Error{ErrorCode::kTemplateError,
                 "the chat template has " + std::to_string(source.size()) + " bytes, at most " +
                     std::to_string(kMaxTemplateBytes) + " are read",
                 "use another chat template"};
  }
  TRY(std::shared_ptr<const jinja::Program> program, jinja::parse_template(source, limits.max_depth));
  return std::unique_ptr<const ChatTemplate>(std::make_unique<JinjaChatTemplate>(std::move(program), limits));
}

}  // namespace llama_gpu::text
