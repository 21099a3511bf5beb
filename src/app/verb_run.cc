// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>

#include "app/backends.h"
#include "app/flag_checks.h"
#include "app/local_answers.h"
#include "app/model_library.h"
#include "app/remote_answers.h"
#include "app/repl.h"
#include "app/verbs.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr size_t kMaxPromptBytes = size_t{64} << 20;

constexpr std::array kRunSettings = {SettingId::kEngineThreads, SettingId::kEngineCtxSize,
                                     SettingId::kEngineBackend, SettingId::kServerApiKey};
// Those of them that a server decides for itself.
constexpr std::span<const SettingId> kLocalRunSettings = std::span(kRunSettings).first(3);

// Answers one prompt, from the command line or standard input, or chats when there is none.
class RunVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("model", model_, "Model, default " + std::string(kDefaultModelId))->type_name("MODEL");
    command.add_option("prompt", words_,
                       "Prompt; without one it is read from standard input, or a chat begins");
    command.add_option("--url", url_, "Use this running server instead of a model in this process");
    command.add_flag("--insecure", insecure_, "With --url: send the API key over plain http, too");
    command.add_option("--system", system_, "System prompt");
    command.add_option("--max-tokens", options_.max_tokens, "Most tokens of an answer")
        ->transform(integer_in(limits::kMaxTokens));
    command.add_option("--temperature", options_.temperature, "0: always the most likely token")
        ->transform(number_in(limits::kTemperature));
    command.add_option("--top-p", options_.top_p, "Share of probability to choose from")
        ->transform(number_in(limits::kTopP));
    command.add_option("--seed", options_.seed, "Makes an answer repeatable")
        ->transform(integer_in(limits::kSeed));
  }

  std::span<const SettingId> setting_flags() const override { return kRunSettings; }

  Result<int> run(VerbContext& context) override {
    TRY(const std::optional<std::string> prompt, read_prompt(context.console));
    TRY(const std::unique_ptr<AnswerSource> source, make_source(context));
    if (!source->has_chat_template() && !system_.empty()) {
      return Error{ErrorCode::kInvalidValue,
                   "--system: this model has no chat template that could place a system prompt",
                   "begin the prompt with that text", "system"};
    }
    if (!prompt) return chat(context, *source);
    if (source->has_chat_template()) return print(context, ask(context, *source, *prompt));
    context.console.err << "no chat template: continuing the text as it is" << std::endl;
    return print(context,
                 source->complete(*prompt, options_, printer(context.console), context.interrupts.flag()));
  }

 private:
  // nullopt where a person shall be asked.
  Result<std::optional<std::string>> read_prompt(Console& console) const {
    std::string prompt = join(std::vector<std::string_view>(words_.begin(), words_.end()), " ");
    if (words_.empty()) {
      if (console.in_is_terminal) return std::optional<std::string>();
      prompt.assign(std::istreambuf_iterator<char>(console.in), {});
      if (prompt.ends_with('\n')) prompt.pop_back();
    }
    const auto refuse = [](std::string message) {
      return Error{ErrorCode::kInvalidRequest, std::move(message)};
    };
    if (prompt.empty())
      return refuse("there is no prompt: give one, pipe one in, or start from a terminal to chat");
    if (prompt.size() > kMaxPromptBytes) return refuse("the prompt is larger than 64 MiB");
    if (!is_valid_utf8(prompt) || !is_valid_utf8(system_)) return refuse("the prompt is not UTF-8 text");
    return std::optional(std::move(prompt));
  }

  Result<std::unique_ptr<AnswerSource>> make_source(VerbContext& context) const {
    if (!url_.empty()) {
      const std::string flags = given_flags(context.settings, kLocalRunSettings);
      if (!flags.empty()) warn(context.console, flags + ": no effect with --url, where the server decides");
      return make_remote(context);
    }
    const Settings& settings = context.settings.values;
    const ModelLibrary library(settings.models.dir, settings.models.aliases);
    TRY(const StoredModel model, library.find(model_.empty() ? kDefaultModelId : std::string_view(model_)));
    engine::EngineOptions options = engine_options(settings, model.path);
    options.max_sequences = 1;
    TRY(std::unique_ptr<LocalAnswers> source, LocalAnswers::load(make_backends(), options));
    return std::unique_ptr<AnswerSource>(std::move(source));
  }

  Result<std::unique_ptr<AnswerSource>> make_remote(VerbContext& context) const {
    RemoteServer server = remote_server(url_, context.settings.values.server.api_key);
    server.allow_plain_key = insecure_;
    TRY(const RemoteModel model, choose_model(context, server));
    return std::unique_ptr<AnswerSource>(std::make_unique<RemoteAnswers>(context.environment, server, model));
  }

  // What the server says of the model that was named, or its first one.
  Result<RemoteModel> choose_model(VerbContext& context, const RemoteServer& server) const {
    const HttpClient http(context.environment, context.interrupts.flag());
    const Result<std::vector<RemoteModel>> models = remote_models(http, server);
    if (!models.ok()) {
      // A server that is there and has no list may answer all the same.
      const bool is_answered = models.error().code != ErrorCode::kServerUnreachable &&
                               models.error().code != ErrorCode::kCancelled;
      if (is_answered && !model_.empty()) return RemoteModel{model_};
      return models.error();
    }
    for (const RemoteModel& model : *models) {
      const bool is_alias = std::ranges::find(model.aliases, model_) != model.aliases.end();
      if (model_.empty() || model.id == model_) return model;
      if (is_alias) return RemoteModel{model_, model.vocab_size, model.has_chat_template};
    }
    if (!model_.empty()) return RemoteModel{model_};
    return Error{ErrorCode::kModelNotFound, "the server at '" + url_ + "' serves no model"};
  }

  Result<AnswerEnd> ask(VerbContext& context, AnswerSource& source, const std::string& prompt) const {
    std::vector<text::ChatMessage> conversation;
    if (!system_.empty()) conversation.push_back({"system", system_});
    conversation.push_back({"user", prompt});
    return source.answer(conversation, options_, printer(context.console), context.interrupts.flag());
  }

  static std::function<void(std::string_view)> printer(Console& console) {
    return [&console](std::string_view text) { console.out << text << std::flush; };
  }

  // What is left to print of an answer.
  static Result<int> print(VerbContext& context, Result<AnswerEnd> end) {
    TRY(const AnswerEnd done, std::move(end));
    context.console.out << std::endl;
    if (done.reason == engine::FinishReason::kCancelled) return Error{ErrorCode::kCancelled, "stopped"};
    return 0;
  }

  Result<int> chat(VerbContext& context, AnswerSource& source) const {
    const std::string history = context.environment.state_home() + "/llama-gpu/history";
    const std::unique_ptr<LineEditor> editor = make_terminal_editor(stdin, stdout, stderr, history);
    return Repl({source, *editor, context.console, context.interrupts}, options_, system_).run();
  }

  std::string model_;
  std::vector<std::string> words_;
  std::string url_;
  bool insecure_ = false;
  std::string system_;
  AnswerOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_run_verb() { return std::make_unique<RunVerb>(); }

}  // namespace llama_gpu::app
