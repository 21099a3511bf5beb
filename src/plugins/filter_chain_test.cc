// SPDX-License-Identifier: Apache-2.0
#include "plugins/filter_chain.h"

#include <gmock/gmock.h>

#include <optional>

namespace llama_gpu::plugins {
namespace {

using testing::HasSubstr;
using Done = std::function<void(Result<FilterVerdict>)>;

// A filter that adds to the text.
HostedFilter appending(const std::string& plugin, const std::string& text, int64_t order = 0) {
  return {plugin, order, FailurePolicy::kClosed, [text](const FilterCall& call, const Done& done) {
            done(FilterVerdict{.replacement = std::get<std::string>(call.text) + text});
          }};
}

// A filter that always fails.
HostedFilter failing(FailurePolicy policy, ErrorCode code = ErrorCode::kPluginFailed) {
  return {"acme/bad", 0, policy,
          [code](const FilterCall&, const Done& done) { done(Error{code, "it broke"}); }};
}

Result<FilterableText> pass(const std::vector<HostedFilter>& filters) {
  std::optional<Result<FilterableText>> heard;
  pass_filters(filters, {"r", "m", FilterableText(std::string("x"))}, [&](Result<FilterableText> result) {
    EXPECT_FALSE(heard.has_value());
    heard = std::move(result);
  });
  return heard.value();
}

std::string text_of(const Result<FilterableText>& result) { return std::get<std::string>(result.value()); }

TEST(PassFilters, GivesEachWhatTheOthersMade) {
  std::vector<HostedFilter> filters = {appending("b", "b", 5), appending("c", "c", -1),
                                       appending("a", "a", 5)};
  sort_filters(filters);
  EXPECT_EQ(text_of(pass(filters)), "xcab");
  EXPECT_EQ(text_of(pass({})), "x");
}

TEST(PassFilters, KeepsTheTextWhereAFilterLetsItPass) {
  const HostedFilter passing{"p", 0, FailurePolicy::kClosed,
                             [](const FilterCall&, const Done& done) { done(FilterVerdict{}); }};
  EXPECT_EQ(text_of(pass({passing, appending("a", "a")})), "xa");
}

TEST(PassFilters, EndsWithARejection) {
  const HostedFilter rejecting{"acme/no", 0, FailurePolicy::kOpen, [](const FilterCall&, const Done& done) {
                                 done(FilterVerdict{.rejection = "it is rude"});
                               }};
  const Result<FilterableText> result = pass({rejecting, appending("a", "a")});
  EXPECT_EQ(result.error().code, ErrorCode::kPluginRejected);
  EXPECT_EQ(result.error().message, "the plugin 'acme/no' refused the request: it is rude");
}

TEST(PassFilters, FailsOpenOrClosed) {
  EXPECT_EQ(text_of(pass({failing(FailurePolicy::kOpen), appending("a", "a")})), "xa");
  const Result<FilterableText> closed = pass({failing(FailurePolicy::kClosed), appending("a", "a")});
  EXPECT_EQ(closed.error().code, ErrorCode::kPluginFailed);
  EXPECT_THAT(closed.error().message, HasSubstr("'acme/bad' failed: it broke"));
  EXPECT_EQ(pass({failing(FailurePolicy::kClosed, ErrorCode::kOverloaded)}).error().code,
            ErrorCode::kOverloaded);
}

TEST(PassFilters, RefusesWhatIsTooLargeWhateverThePolicy) {
  const Result<FilterableText> result = pass({failing(FailurePolicy::kOpen, ErrorCode::kRequestTooLarge)});
  EXPECT_EQ(result.error().code, ErrorCode::kRequestTooLarge);
  EXPECT_THAT(result.error().message, HasSubstr("'acme/bad'"));
}

TEST(PassFilters, AsksEachPluginOnceThoughTheListChanges) {
  std::vector<HostedFilter> filters;
  Done waiting;
  filters.push_back(
      {"slow", 0, FailurePolicy::kOpen, [&](const FilterCall&, Done done) { waiting = std::move(done); }});
  filters.push_back(appending("gone", "-gone"));
  std::optional<std::string> text;
  pass_filters(filters, {"r", "m", FilterableText(std::string("x"))},
               [&](const Result<FilterableText>& result) { text = text_of(result); });

  // Meanwhile: the slow one moved behind, one went, one came.
  filters = {appending("new", "-new"), appending("slow", "-twice")};
  waiting(FilterVerdict{.replacement = "x-slow"});

  EXPECT_EQ(text, "x-slow-new");
}

}  // namespace
}  // namespace llama_gpu::plugins
