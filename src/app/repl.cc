// SPDX-License-Identifier: Apache-2.0
#include "app/repl.h"

#include <fmt/format.h>

#include <array>
#include <csignal>

#include "app/answer_parameters.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";
constexpr std::array<std::string_view, 6> kCommands = {"/bye", "/clear", "/help", "/set", "/show", "/system"};

constexpr std::string_view kHelp =
    "  /set NAME VALUE  temperature, top_p, max_tokens or seed, or \"default\" for each; system\n"
    "  /show            what is set\n"
    "  /clear           forget the conversation\n"
    "  /system TEXT     another system prompt, and forget the conversation\n"
    "  /bye             end (also Ctrl-D)\n"
    "  \"\"\"              begins and ends a prompt of several lines\n"
    "  Ctrl-C           stops an answer\n";

}  // namespace

Repl::Repl(Parts parts, AnswerOptions options, std::string system)
    : parts_(parts), options_(options), system_(std::move(system)) {
  clear();
}

void Repl::clear() {
  conversation_.clear();
  if (!system_.empty()) conversation_.push_back({"system", system_});
}

std::optional<std::string> Repl::read_quoted(std::string_view first_line) {
  std::string prompt;
  std::string line(first_line);
  for (bool is_first = true;; is_first = false) {
    const size_t end = line.find(kQuotes);
    // The lines of the quotes count only where something else stands on them.
    if (!is_first && !prompt.empty() && end != 0) prompt += '\n';
    prompt += line.substr(0, end);
    if (end != std::string::npos) return prompt;
    LineEditor::Line next = parts_.editor.read("... ");
    if (next.end == LineEditor::End::kInterrupted) return std::nullopt;
    // What was begun and not ended by the quotes is not lost.
    if (next.end == LineEditor::End::kEndOfInput) return prompt;
    line = std::move(next.text);
  }
}

std::optional<std::string> Repl::read_prompt() {
  for (;;) {
    LineEditor::Line line = parts_.editor.read(">>> ");
    if (line.end == LineEditor::End::kEndOfInput) return std::nullopt;
    if (line.end == LineEditor::End::kLine) {
      if (!trim(line.text).starts_with(kQuotes)) return std::move(line.text);
      std::optional<std::string> quoted = read_quoted(trim(line.text).substr(kQuotes.size()));
      if (quoted) return quoted;
    }
    if (parts_.interrupts.ends_program()) return std::nullopt;
    parts_.interrupts.clear();
    parts_.console.err << "\n(/bye or Ctrl-D ends the chat)" << std::endl;
  }
}

bool Repl::run_command(const std::string& line) {
  const auto [name, argument] = split_once(line, ' ');
  if (name == "/bye") return false;
  if (name == "/clear") {
    clear();
    parts_.console.err << "the conversation is forgotten" << std::endl;
  } else if (name == "/system") {
    set_system(trim(argument));
  } else if (name == "/set") {
    set(trim(argument));
  } else if (name == "/show") {
    show();
  } else if (name == "/help" || name == "/?") {
    parts_.console.err << kHelp << std::flush;
  } else {
    parts_.console.err << "unknown command '" << escape_line(name) << "'" << did_you_mean(name, kCommands)
                       << std::endl;
  }
  return true;
}

void Repl::set(std::string_view argument) {
  const auto [name, value] = split_once(argument, ' ');
  if (name == "system") return set_system(trim(value));
  if (name == "parameter") return set(trim(value));  // as other programs have it
  if (trim(value).empty()) {
    parts_.console.err << "/set needs a name and a value, such as /set temperature 0.7" << std::endl;
    return;
  }
  const Status status = set_parameter(options_, name, trim(value));
  if (!status.ok()) report(parts_.console, status.error());
}

void Repl::set_system(std::string_view text) {
  if (!parts_.source.has_chat_template()) {
    parts_.console.err << "this model has no chat template that could place a system prompt" << std::endl;
    return;
  }
  system_ = text;
  clear();
}

void Repl::show() {
  std::ostream& err = parts_.console.err;
  for (const auto& [name, text] : parameter_texts(options_)) err << fmt::format("  {:<12} {}\n", name, text);
  err << fmt::format("  {:<12} {}\n", "system", system_.empty() ? "none" : escape_line(system_))
      << std::flush;
}

Result<AnswerEnd> Repl::ask(std::string prompt) {
  const auto print = [&](std::string_view text) { parts_.console.out << text << std::flush; };
  const std::atomic<bool>& cancelled = parts_.interrupts.flag();
  if (!parts_.source.has_chat_template()) return parts_.source.complete(prompt, options_, print, cancelled);
  conversation_.push_back({"user", std::move(prompt)});
  Result<AnswerEnd> end = parts_.source.answer(conversation_, options_, print, cancelled);
  if (end.ok()) {
    conversation_.push_back({"assistant", end->text});
  } else {
    // The question is taken back, so that the next one does not fail for the same reason.
    conversation_.pop_back();
  }
  return end;
}

void Repl::report_failure(Error error) {
  const bool has_history = !conversation_.empty() && conversation_.back().role == "assistant";
  if (error.code == ErrorCode::kContextLengthExceeded && has_history) {
    error.hint = "/clear forgets the conversation and makes room";
  }
  report(parts_.console, error);
}

void Repl::say_how_it_ended(engine::FinishReason reason) {
  std::ostream& err = parts_.console.err;
  if (reason == engine::FinishReason::kCancelled) err << "(stopped)" << std::endl;
  if (reason != engine::FinishReason::kLength) return;
  if (options_.max_tokens) {
    err << "(cut at the token limit)" << std::endl;
  } else {
    err << (conversation_.empty() ? "(the context is full)"
                                  : "(the context is full: /clear forgets the conversation)")
        << std::endl;
  }
}

void Repl::answer(std::string prompt) {
  Result<AnswerEnd> end = ask(std::move(prompt));
  parts_.console.out << std::endl;
  if (!end.ok()) return report_failure(std::move(end).error());
  say_how_it_ended(end->reason);
  if (parts_.interrupts.signal() == SIGINT) parts_.interrupts.clear();
}

int Repl::run() {
  parts_.console.err << "/help lists the commands, Ctrl-D ends" << std::endl;
  if (!parts_.source.has_chat_template()) {
    parts_.console.err << "no chat template: each prompt is continued as it is, without those before"
                       << std::endl;
  }
  while (!parts_.interrupts.ends_program()) {
    std::optional<std::string> prompt = read_prompt();
    if (!prompt) break;
    const std::string_view text = trim(*prompt);
    if (text.empty()) continue;
    parts_.editor.remember(*prompt);
    if (!is_valid_utf8(text)) {
      parts_.console.err << "that is not UTF-8 text" << std::endl;
    } else if (!text.starts_with('/')) {
      answer(*std::move(prompt));
    } else if (!run_command(std::string(text))) {
      return 0;
    }
  }
  parts_.console.err << std::endl;
  return parts_.interrupts.ends_program() ? 128 + parts_.interrupts.signal() : 0;
}

}  // namespace llama_gpu::app
