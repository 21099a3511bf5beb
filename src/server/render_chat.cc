// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "server/json_writer.h"
#include "server/render_answer.h"
#include "server/render_logprobs.h"

namespace llama_gpu::server {
namespace {

// Chunks, each one event. Everything before and behind the changing part is made once: this is the token
// path.
class ChatStream : public AnswerRenderer {
 public:
  ChatStream(const AnswerHead& head, AnswerForm form)
      : begin_("data: " + render_head(head, "chat.completion.chunk")),
        form_(form),
        choices_(static_cast<size_t>(form_.num_choices)) {}

  void add(int32_t choice, const engine::SequenceUpdate& update, std::string& out) override {
    Choice& state = choices_[static_cast<size_t>(choice)];
    const auto tokens = state.shown.of(update);
    for (const auto& token : tokens) logprobs_.append(token);
    if (!std::exchange(state.has_begun, true)) {
      begin_choice(choice, out);
      out += R"({"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null})";
      out += "\n\n";
    }
    if (!update.text.empty() || !tokens.empty()) {
      begin_choice(choice, out);
      out += R"({"content":")";
      append_json_escaped(out, update.text);
      out += R"("},"logprobs":)";
      form_.has_logprobs ? logprobs_.take(out) : void(out += "null");
      out += R"(,"finish_reason":null}],"usage":null})";
      out += "\n\n";
    }
    if (update.finish) {
      begin_choice(choice, out);
      out += R"({},"logprobs":null,"finish_reason":)";
      out += render_finish_reason(update.finish);
      out += R"(}],"usage":null})";
      out += "\n\n";
    }
  }

  void finish(const Usage& usage, std::string& out) override {
    if (form_.include_usage) {
      out += begin_;
      out += R"(,"choices":[],"usage":)" + render_usage(usage) + "}\n\n";
    }
    out += "data: [DONE]\n\n";
  }

 private:
  struct Choice {
    bool has_begun = false;
    ShownTokens shown;
  };

  void begin_choice(int32_t choice, std::string& out) const {
    out += begin_;
    out += R"(,"choices":[{"index":)";
    out += std::to_string(choice);
    out += R"(,"delta":)";
  }

  std::string begin_;
  AnswerForm form_;
  std::vector<Choice> choices_;
  ChatLogprobs logprobs_;
};

// One chat.completion object.
class ChatDocument : public AnswerRenderer {
 public:
  ChatDocument(AnswerHead head, AnswerForm form)
      : head_(std::move(head)), form_(form), choices_(static_cast<size_t>(form_.num_choices)) {}

  void add(int32_t choice, const engine::SequenceUpdate& update, std::string&) override {
    Choice& state = choices_[static_cast<size_t>(choice)];
    state.text += update.text;
    for (const auto& token : state.shown.of(update)) state.logprobs.append(token);
    if (update.finish) state.finish = update.finish;
  }

  void finish(const Usage& usage, std::string& out) override {
    out += render_head(head_, "chat.completion");
    out += R"(,"choices":[)";
    for (size_t i = 0; i < choices_.size(); ++i) {
      Choice& choice = choices_[i];
      if (i > 0) out += ',';
      out += R"({"index":)" + std::to_string(i) + R"(,"message":{"role":"assistant","content":")";
      append_json_escaped(out, choice.text);
      out += R"(","refusal":null},"logprobs":)";
      form_.has_logprobs ? choice.logprobs.take(out) : void(out += "null");
      out += R"(,"finish_reason":)";
      out += render_finish_reason(choice.finish);
      out += '}';
    }
    out += R"(],"usage":)" + render_usage(usage) + "}";
  }

 private:
  struct Choice {
    std::string text;
    ShownTokens shown;
    ChatLogprobs logprobs;
    std::optional<engine::FinishReason> finish;
  };

  AnswerHead head_;
  AnswerForm form_;
  std::vector<Choice> choices_;
};

}  // namespace

std::unique_ptr<AnswerRenderer> make_chat_renderer(const AnswerHead& head, AnswerForm form) {
  if (form.is_stream) return std::make_unique<ChatStream>(head, form);
  return std::make_unique<ChatDocument>(head, form);
}

}  // namespace llama_gpu::server
