// SPDX-License-Identifier: Apache-2.0
#include "supervisor/call_lanes.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace llama_gpu::supervisor {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SubmitCall submit(engine::Prompt prompt) {
  SubmitCall call;
  call.request.prompt = std::move(prompt);
  return call;
}

TEST(CallLane, IsThatOfTextsOrOfPromptsByLength) {
  const std::string long_text(64 << 10, 'x');
  EXPECT_EQ(lane_of(LoadCall{}), CallLane::kPrompts);
  EXPECT_EQ(lane_of(TokenizeCall{}), CallLane::kTexts);
  EXPECT_EQ(lane_of(TokenizeCall{"m", {long_text}}), CallLane::kLongTexts);
  EXPECT_EQ(lane_of(DetokenizeCall{"m", std::vector<TokenId>(100)}), CallLane::kTexts);
  EXPECT_EQ(lane_of(DetokenizeCall{"m", std::vector<TokenId>(16 << 10)}), CallLane::kLongTexts);
  EXPECT_EQ(lane_of(ApplyTemplateCall{"m", {{{"user", long_text}}}}), CallLane::kLongTexts);
  EXPECT_EQ(lane_of(ApplyTemplateCall{}), CallLane::kTexts);
  EXPECT_EQ(lane_of(submit(engine::TextPrompt{"hi"})), CallLane::kPrompts);
  EXPECT_EQ(lane_of(submit(engine::TextPrompt{long_text})), CallLane::kLongPrompts);
  EXPECT_EQ(lane_of(submit(engine::ChatPrompt{{{"user", "hi"}}})), CallLane::kPrompts);
  EXPECT_EQ(lane_of(submit(engine::ChatPrompt{{{"user", long_text}}})), CallLane::kLongPrompts);
  EXPECT_EQ(lane_of(submit(std::vector<TokenId>(100))), CallLane::kPrompts);
  EXPECT_EQ(lane_of(submit(std::vector<TokenId>(16 << 10))), CallLane::kLongPrompts);
}

class CallLanesTest : public testing::Test {
 protected:
  // Sends all that may be sent now.
  std::vector<uint64_t> send() {
    std::vector<uint64_t> sent;
    for (auto id = lanes_.next(); id; id = lanes_.next()) {
      lanes_.mark_sent(*id);
      sent.push_back(*id);
    }
    return sent;
  }

  CallLanes lanes_;
};

TEST_F(CallLanesTest, SendsPromptsFirstAndInOrder) {
  lanes_.push(1, CallLane::kTexts);
  lanes_.push(3, CallLane::kPrompts);
  lanes_.push(2, CallLane::kPrompts);
  EXPECT_THAT(send(), ElementsAre(2, 3, 1));
  EXPECT_THAT(send(), IsEmpty());
}

TEST_F(CallLanesTest, HoldsLongTextsUntilThoseBeforeAreAnswered) {
  for (const uint64_t id : {1, 2, 3, 4}) lanes_.push(id, CallLane::kTexts);
  for (const uint64_t id : {11, 12, 13}) lanes_.push(id, CallLane::kLongPrompts);
  EXPECT_THAT(send(), ElementsAre(11, 12, 1, 2));
  lanes_.push(20, CallLane::kPrompts);
  EXPECT_THAT(send(), ElementsAre(20));

  EXPECT_TRUE(lanes_.mark_answered(2));

  EXPECT_THAT(send(), ElementsAre(3));
  lanes_.push(30, CallLane::kLongTexts);
  EXPECT_THAT(send(), ElementsAre(30)) << "they wait for each other only";
  EXPECT_TRUE(lanes_.mark_answered(12));
  EXPECT_THAT(send(), ElementsAre(13));
}

TEST_F(CallLanesTest, TakesBackWhatWaitsAndStillAwaitsTheAnswerOfWhatWasSent) {
  for (const uint64_t id : {1, 2, 3}) lanes_.push(id, CallLane::kTexts);
  send();
  EXPECT_EQ(lanes_.next(), std::nullopt);

  for (const uint64_t id : {1, 3, 404}) lanes_.take_back(id);

  EXPECT_TRUE(lanes_.mark_answered(1));
  EXPECT_EQ(lanes_.next(), std::nullopt) << "what was taken back is not sent";
  EXPECT_FALSE(lanes_.mark_answered(1));
  EXPECT_FALSE(lanes_.mark_answered(3));
}

TEST_F(CallLanesTest, HasRoomAgainForTheNextWorker) {
  for (const uint64_t id : {1, 2, 3}) lanes_.push(id, CallLane::kTexts);
  send();

  lanes_.forget_sent();
  lanes_.push(1, CallLane::kTexts);

  EXPECT_FALSE(lanes_.mark_answered(2));
  EXPECT_THAT(send(), ElementsAre(1, 3));
}

}  // namespace
}  // namespace llama_gpu::supervisor
