// SPDX-License-Identifier: Apache-2.0
#include "app/repl.h"

#include <array>
#include <csignal>

#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";
constexpr std::array<std::string_view, 4> kCommands = {"/bye", "/clear", "/help", "/system"};

constexpr std::string_view kHelp =
    "  /clear         forget the conversation\n"
    "  /system TEXT   another system prompt, and forget the conversation\n"
    "  /bye           end (also Ctrl-D)\n"
    "  \"\"\"            begins and ends a prompt of several lines\n"
    "  Ctrl-C         stops an answer\n";

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
    system_ = trim(argument);
    clear();
  } else if (name == "/help" || name == "/?") {
    parts_.console.err << kHelp << std::flush;
  } else {
    parts_.console.err << "unknown command '" << escape_line(name) << "'" << did_you_mean(name, kCommands)
                       << std::endl;
  }
  return true;
}

void Repl::answer(std::string prompt) {
  Console& console = parts_.console;
  conversation_.push_back({"user", std::move(prompt)});
  Result<AnswerEnd> end = parts_.source.answer(
      conversation_, options_, [&](std::string_view text) { console.out << text << std::flush; },
      parts_.interrupts.flag());
  console.out << std::endl;
  if (!end.ok()) {
    // The question is taken back, so that the next one does not fail for the same reason.
    conversation_.pop_back();
    report(console, end.error());
    return;
  }
  conversation_.push_back({"assistant", std::move(end->text)});
  if (end->reason == engine::FinishReason::kLength) console.err << "(cut at the token limit)" << std::endl;
  if (end->reason == engine::FinishReason::kCancelled) console.err << "(stopped)" << std::endl;
  if (parts_.interrupts.signal() == SIGINT) parts_.interrupts.clear();
}

int Repl::run() {
  parts_.console.err << "/help lists the commands, Ctrl-D ends" << std::endl;
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
