// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "server/json_writer.h"
#include "server/render_answer.h"
#include "server/render_logprobs.h"

namespace llama_gpu::server {
namespace {

// A choice so far: what was not yet sent of a stream, or all of a document.
struct Choice {
  std::string text;
  ShownTokens shown;
  CompletionLogprobs logprobs;
  std::optional<engine::FinishReason> finish;

  void add(const engine::SequenceUpdate& update) {
    text += update.text;
    for (size_t i = 0; i < update.prompt_logprobs.size(); ++i)
      logprobs.append(update.prompt_logprobs[i], i > 0);
    for (const auto& token : shown.of(update)) logprobs.append(token);
    if (update.finish) finish = update.finish;
  }

  // Appends {"index":...}, and forgets what it appended.
  void take(size_t index, bool has_logprobs, std::string& out) {
    out += R"({"index":)";
    out += std::to_string(index);
    out += R"(,"text":")";
    append_json_escaped(out, text);
    out += R"(","logprobs":)";
    has_logprobs ? logprobs.take(out) : void(out += "null");
    out += R"(,"finish_reason":)";
    out += render_finish_reason(finish);
    out += '}';
    text.clear();
  }
};

class CompletionRenderer : public AnswerRenderer {
 public:
  CompletionRenderer(const AnswerHead& head, AnswerForm form)
      : head_(render_head(head, "text_completion")),
        form_(form),
        choices_(static_cast<size_t>(form_.num_choices)) {}

  void echo(int32_t choice, std::string_view prompt) override {
    choices_[static_cast<size_t>(choice)].text += prompt;
  }

  void add(int32_t choice, const engine::SequenceUpdate& update, std::string& out) override {
    const auto index = static_cast<size_t>(choice);
    Choice& state = choices_[index];
    state.add(update);
    if (!form_.is_stream || (state.text.empty() && state.logprobs.empty() && !update.finish)) return;
    out += "data: ";
    out += head_;
    out += R"(,"choices":[)";
    state.take(index, form_.has_logprobs, out);
    out += R"(],"usage":null})";
    out += "\n\n";
  }

  void finish(const Usage& usage, std::string& out) override {
    if (form_.is_stream) {
      if (form_.include_usage) {
        out += "data: " + head_ + R"(,"choices":[],"usage":)" + render_usage(usage) + "}\n\n";
      }
      out += "data: [DONE]\n\n";
      return;
    }
    out += head_;
    out += R"(,"choices":[)";
    for (size_t i = 0; i < choices_.size(); ++i) {
      if (i > 0) out += ',';
      choices_[i].take(i, form_.has_logprobs, out);
    }
    out += R"(],"usage":)" + render_usage(usage) + "}";
  }

 private:
  std::string head_;
  AnswerForm form_;
  std::vector<Choice> choices_;
};

}  // namespace

std::unique_ptr<AnswerRenderer> make_completion_renderer(const AnswerHead& head, AnswerForm form) {
  return std::make_unique<CompletionRenderer>(head, form);
}

}  // namespace llama_gpu::server
