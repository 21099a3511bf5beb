// SPDX-License-Identifier: Apache-2.0
#include "ops/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/reference/reference_backend.h"

namespace llama_gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BackendRegistry, OpensByName) {
  BackendRegistry registry;
  registry.add("reference", make_reference_backend);

  const auto backend = registry.open("reference", {});

  ASSERT_TRUE(backend.ok());
  EXPECT_EQ((*backend)->name(), "reference");
  EXPECT_THAT((*backend)->description(), HasSubstr("double"));
  EXPECT_THAT(registry.names(), ElementsAre("reference"));
}

TEST(BackendRegistry, NamesTheKnownBackendsWhenThereIsNoneOfThatName) {
  BackendRegistry registry;
  registry.add("reference", make_reference_backend);

  const auto backend = registry.open("cuda", {});

  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(backend.error().param, "backend");
  EXPECT_THAT(backend.error().message, HasSubstr("'cuda'"));
  EXPECT_THAT(backend.error().message, HasSubstr("'reference'"));
}

}  // namespace
}  // namespace llama_gpu
