// SPDX-License-Identifier: Apache-2.0
#include "app/repl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <deque>

#include "app/console_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Answers with the last message and keeps what it was asked.
class Echo final : public AnswerSource {
 public:
  bool has_chat_template() const override { return has_template; }
  Result<AnswerEnd> complete(const std::string& text, const AnswerOptions& options,
                             const std::function<void(std::string_view)>& on_text,
                             const std::atomic<bool>& cancelled) override {
    return answer({{"text", text}}, options, on_text, cancelled);
  }
  Result<AnswerEnd> answer(const std::vector<text::ChatMessage>& conversation, const AnswerOptions& options,
                           const std::function<void(std::string_view)>& on_text,
                           const std::atomic<bool>&) override {
    asked.push_back(conversation);
    asked_with = options;
    if (conversation.back().content == "fail") return Error{ErrorCode::kContextLengthExceeded, "too long"};
    on_text("you said " + conversation.back().content);
    return AnswerEnd{reason, "you said " + conversation.back().content};
  }

  std::vector<std::vector<text::ChatMessage>> asked;
  AnswerOptions asked_with;
  bool has_template = true;
  engine::FinishReason reason = engine::FinishReason::kStop;
};

// Lines from a list.
class EditorFake final : public LineEditor {
 public:
  Line read(const std::string& prompt) override {
    prompts.push_back(prompt);
    if (lines.empty()) return {};
    Line line = lines.front();
    lines.pop_front();
    return line;
  }
  void remember(const std::string& line) override { remembered.push_back(line); }

  std::deque<Line> lines;
  std::vector<std::string> prompts, remembered;
};

class ReplTest : public ::testing::Test {
 protected:
  int run(std::initializer_list<std::string> lines, std::string system = "", AnswerOptions options = {}) {
    for (const std::string& line : lines) editor_.lines.push_back({LineEditor::End::kLine, line});
    return Repl({source_, editor_, console_.console, interrupts_}, options, std::move(system)).run();
  }

  Echo source_;
  EditorFake editor_;
  ConsoleFake console_;
  Interrupts interrupts_;
};

TEST_F(ReplTest, AnswersAndRemembersTheConversation) {
  EXPECT_EQ(run({"one", "", "two"}, "be brief"), 0);

  EXPECT_EQ(console_.out.str(), "you said one\nyou said two\n");
  ASSERT_EQ(source_.asked.size(), 2U);
  EXPECT_THAT(source_.asked[1],
              ElementsAre(text::ChatMessage{"system", "be brief"}, text::ChatMessage{"user", "one"},
                          text::ChatMessage{"assistant", "you said one"}, text::ChatMessage{"user", "two"}));
  EXPECT_THAT(editor_.remembered, ElementsAre("one", "two"));
}

TEST_F(ReplTest, ObeysCommands) {
  EXPECT_EQ(run({"one", "/clear", "two", "/system speak Latin", "three", "/help", "/clera", "/bye", "never"}),
            0);

  ASSERT_EQ(source_.asked.size(), 3U);
  EXPECT_THAT(source_.asked[1], ElementsAre(text::ChatMessage{"user", "two"}));
  EXPECT_THAT(source_.asked[2],
              ElementsAre(text::ChatMessage{"system", "speak Latin"}, text::ChatMessage{"user", "three"}));
  EXPECT_THAT(console_.err.str(), HasSubstr("/system TEXT"));
  EXPECT_THAT(console_.err.str(), HasSubstr("unknown command '/clera'; did you mean '/clear'?"));
}

TEST_F(ReplTest, TakesSeveralLinesBetweenQuotes) {
  run({"\"\"\"one", "two\"\"\"", "\"\"\"", "three", "\"\"\"", "\"\"\"in one\"\"\"", "\"\"\"open", "end"});

  ASSERT_EQ(source_.asked.size(), 4U);
  EXPECT_EQ(source_.asked[0].back().content, "one\ntwo");
  EXPECT_EQ(source_.asked[1].back().content, "three");
  EXPECT_EQ(source_.asked[2].back().content, "in one");
  EXPECT_EQ(source_.asked[3].back().content, "open\nend");
  EXPECT_THAT(editor_.prompts,
              ElementsAre(">>> ", "... ", ">>> ", "... ", "... ", ">>> ", ">>> ", "... ", "... ", ">>> "));
}

TEST_F(ReplTest, TakesAQuestionBackThatFailed) {
  run({"fail", "again"});

  EXPECT_THAT(console_.err.str(), HasSubstr("llama-gpu: too long"));
  EXPECT_THAT(source_.asked[1], ElementsAre(text::ChatMessage{"user", "again"}));
}

TEST_F(ReplTest, SaysHowToMakeRoomWhereTheConversationFillsTheContext) {
  run({"fail"});
  EXPECT_THAT(console_.err.str(), Not(HasSubstr("/clear forgets")));
  run({"one", "fail"});
  EXPECT_THAT(console_.err.str(),
              HasSubstr("llama-gpu: too long (/clear forgets the conversation and makes room)"));
}

TEST_F(ReplTest, SetsAndShowsParameters) {
  run({"/set temperature 0.5", "/set parameter seed 7", "/set system be brief", "/show", "/set top_p 3",
       "/set", "one", "/set temperature default", "/show", "/help"});

  EXPECT_EQ(source_.asked_with.temperature, 0.5);
  EXPECT_EQ(source_.asked_with.seed, 7);
  EXPECT_THAT(source_.asked[0],
              ElementsAre(text::ChatMessage{"system", "be brief"}, text::ChatMessage{"user", "one"}));
  const std::string err = console_.err.str();
  EXPECT_THAT(err, HasSubstr("  temperature  0.5\n  top_p        default\n  max_tokens   default\n"
                             "  seed         7\n  system       be brief\n"));
  EXPECT_THAT(err, HasSubstr("top_p: '3' is not valid, expected a number from 0 to 1"));
  EXPECT_THAT(err, HasSubstr("/set needs a name and a value"));
  EXPECT_THAT(err, HasSubstr("  temperature  default\n"));
  EXPECT_THAT(err, HasSubstr("/set NAME VALUE"));
}

TEST_F(ReplTest, ContinuesEachPromptByItselfWhereThereIsNoTemplate) {
  source_.has_template = false;
  source_.reason = engine::FinishReason::kLength;

  run({"one", "two", "/system be brief", "fail"});

  EXPECT_THAT(source_.asked[0], ElementsAre(text::ChatMessage{"text", "one"}));
  EXPECT_THAT(source_.asked[1], ElementsAre(text::ChatMessage{"text", "two"}));
  EXPECT_THAT(console_.err.str(), HasSubstr("no chat template: each prompt is continued as it is"));
  EXPECT_THAT(console_.err.str(), HasSubstr("(the context is full)"));
  EXPECT_THAT(console_.err.str(), HasSubstr("no chat template that could place a system prompt"));
  EXPECT_THAT(console_.err.str(), HasSubstr("llama-gpu: too long\n"));
}

TEST_F(ReplTest, SaysWhyAnAnswerEndedEarly) {
  source_.reason = engine::FinishReason::kLength;
  run({"one"});
  EXPECT_THAT(console_.err.str(), HasSubstr("(the context is full: /clear forgets the conversation)"));
  run({"one"}, "", {.max_tokens = 5, .temperature = {}, .top_p = {}, .seed = {}});
  source_.reason = engine::FinishReason::kCancelled;
  run({"two"});

  EXPECT_THAT(console_.err.str(), HasSubstr("(cut at the token limit)"));
  EXPECT_THAT(console_.err.str(), HasSubstr("(stopped)"));
}

TEST_F(ReplTest, GoesOnAfterCtrlCAtThePrompt) {
  interrupts_.raise(SIGINT);
  editor_.lines.push_back({LineEditor::End::kInterrupted});

  EXPECT_EQ(run({"one"}), 0);

  EXPECT_THAT(console_.err.str(), HasSubstr("(/bye or Ctrl-D ends the chat)"));
  EXPECT_EQ(console_.out.str(), "you said one\n");
}

TEST_F(ReplTest, EndsOnSigtermAndHangup) {
  interrupts_.raise(SIGTERM);
  EXPECT_EQ(run({"one"}), 128 + SIGTERM);

  interrupts_.raise(SIGHUP);
  EXPECT_EQ(run({"one"}), 128 + SIGHUP);
}

TEST_F(ReplTest, RefusesWhatIsNotUtf8) {
  run({"\xFF"});

  EXPECT_THAT(console_.err.str(), HasSubstr("that is not UTF-8 text"));
  EXPECT_THAT(console_.out.str(), Not(HasSubstr("you said")));
}

}  // namespace
}  // namespace llama_gpu::app
