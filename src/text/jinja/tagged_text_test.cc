// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/tagged_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace llama_gpu::text::jinja {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Origin kOurs = Origin::kTemplate, kTheirs = Origin::kMessage;

TaggedText mixed() {
  TaggedText text("<a>", kOurs);
  text.append("bcd", kTheirs);
  text.append("e", kOurs);
  return text;
}

TEST(TaggedText, MergesNeighboursOfOneOrigin) {
  TaggedText text;
  text.append("a", kTheirs);
  text.append("", kOurs);
  text.append("b", kTheirs);
  text.append(TaggedText("c", kOurs));

  EXPECT_THAT(text.spans(), ElementsAre(TextSpan{"ab", false}, TextSpan{"c", true}));
}

TEST(TaggedText, KnowsTheOriginOfEachByte) {
  const TaggedText text = mixed();

  EXPECT_EQ(text.origin_at(2), kOurs);
  EXPECT_EQ(text.origin_at(3), kTheirs);
  EXPECT_EQ(text.origin_at(5), kTheirs);
  EXPECT_EQ(text.origin_at(6), kOurs);
}

TEST(TaggedText, KeepsOriginsInSlices) {
  EXPECT_THAT(mixed().slice(2, 5).spans(), ElementsAre(TextSpan{">", true}, TextSpan{"bc", false}));
  EXPECT_THAT(mixed().slice(3, 6).spans(), ElementsAre(TextSpan{"bcd", false}));
  EXPECT_THAT(mixed().slice(5, 7).spans(), ElementsAre(TextSpan{"d", false}, TextSpan{"e", true}));
  EXPECT_THAT(mixed().slice(4, 4).spans(), IsEmpty());
}

TEST(TaggedText, KeepsOriginsWhenItIsAppended) {
  TaggedText text("x", kTheirs);
  text.append(mixed());

  EXPECT_THAT(text.spans(), ElementsAre(TextSpan{"x", false}, TextSpan{"<a>", true}, TextSpan{"bcd", false},
                                        TextSpan{"e", true}));
}

TEST(TaggedText, IsAMessagesAsSoonAsOneByteIs) {
  EXPECT_EQ(TaggedText().joint_origin(), kOurs);
  EXPECT_EQ(TaggedText("", kTheirs).joint_origin(), kOurs);
  EXPECT_EQ(TaggedText("a", kOurs).joint_origin(), kOurs);
  EXPECT_EQ(TaggedText("a", kTheirs).joint_origin(), kTheirs);
  EXPECT_EQ(mixed().joint_origin(), kTheirs);
}

}  // namespace
}  // namespace llama_gpu::text::jinja
