// SPDX-License-Identifier: Apache-2.0
#include "plugins/semver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace llama_gpu::plugins {
namespace {

using testing::HasSubstr;

Version version(std::string_view text) {
  Result<Version> parsed = parse_version(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? *parsed : Version{};
}

VersionRange range(std::string_view text) {
  Result<VersionRange> parsed = VersionRange::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? *parsed : VersionRange();
}

// Versions of few different parts, so that equal and nearly equal ones are common.
class RandomVersions {
 public:
  std::string next() {
    std::string text = number() + "." + number() + "." + number();
    for (int i = pick(0, 3); i > 0; --i) {
      constexpr const char* kIdentifiers[] = {"0",  "1",  "2",   "10",    "18446744073709551617",
                                              "rc", "RC", "rc1", "a-b",   "-",
                                              "-1", "x",  "00a", "alpha", "99999999999999999999"};
      text += (text.find('-') == text.npos ? "-" : ".") + std::string(kIdentifiers[pick(0, 14)]);
    }
    if (pick(0, 4) == 0) text += pick(0, 1) == 0 ? "+build.007" : "+5";
    return text;
  }

 private:
  int pick(int min, int max) { return std::uniform_int_distribution<int>(min, max)(random_); }
  std::string number() {
    constexpr const char* kNumbers[] = {"0", "1", "2", "10", "9223372036854775808"};
    return kNumbers[pick(0, 4)];
  }

  std::mt19937 random_{20260101};
};

TEST(Version, ReadsItsParts) {
  const Version read = version("1.20.300-rc.1+build.5");

  EXPECT_EQ(read.major, 1u);
  EXPECT_EQ(read.minor, 20u);
  EXPECT_EQ(read.patch, 300u);
  EXPECT_THAT(read.pre_release, testing::ElementsAre("rc", "1"));
  EXPECT_EQ(read.build, "build.5");
}

TEST(Version, ReadsTheValidExamplesOfTheSpecificationAndWritesThemBack) {
  for (const char* text : {"0.0.4",
                           "1.2.3",
                           "10.20.30",
                           "1.1.2-prerelease+meta",
                           "1.1.2+meta",
                           "1.1.2+meta-valid",
                           "1.0.0-alpha",
                           "1.0.0-beta",
                           "1.0.0-alpha.beta",
                           "1.0.0-alpha.beta.1",
                           "1.0.0-alpha.1",
                           "1.0.0-alpha0.valid",
                           "1.0.0-alpha.0valid",
                           "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
                           "1.0.0-rc.1+build.1",
                           "2.0.0-rc.1+build.123",
                           "1.2.3-beta",
                           "10.2.3-DEV-SNAPSHOT",
                           "1.2.3-SNAPSHOT-123",
                           "1.0.0",
                           "2.0.0",
                           "1.1.7",
                           "2.0.0+build.1848",
                           "2.0.1-alpha.1227",
                           "1.0.0-alpha+beta",
                           "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
                           "1.2.3----R-S.12.9.1--.12+meta",
                           "1.2.3----RC-SNAPSHOT.12.9.1--.12",
                           "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
                           "9223372036854775808.0.0",
                           "1.0.0-0A.is.legal"}) {
    EXPECT_EQ(to_string(version(text)), text);
  }
}

TEST(Version, RefusesTheInvalidExamplesOfTheSpecification) {
  for (const char* text : {"",
                           "1",
                           "1.2",
                           "1.2.3-0123",
                           "1.2.3-0123.0123",
                           "1.1.2+.123",
                           "+invalid",
                           "-invalid",
                           "-invalid+invalid",
                           "-invalid.01",
                           "alpha",
                           "alpha.beta",
                           "alpha.beta.1",
                           "alpha.1",
                           "alpha+beta",
                           "alpha_beta",
                           "alpha.",
                           "alpha..",
                           "beta",
                           "1.0.0-alpha_beta",
                           "-alpha.",
                           "1.0.0-alpha..",
                           "1.0.0-alpha..1",
                           "1.0.0-alpha...1",
                           "01.1.1",
                           "1.01.1",
                           "1.1.01",
                           "1.2",
                           "1.2.3.DEV",
                           "1.2-SNAPSHOT",
                           "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
                           "1.2-RC-SNAPSHOT",
                           "-1.0.3-gamma+b7718",
                           "+justmeta",
                           "9.8.7+meta+meta",
                           "9.8.7-whatever+meta+meta",
                           "1.0.0-",
                           "1.0.0+",
                           "v1.0.0",
                           " 1.0.0",
                           "1.0.0 ",
                           "1.0.0\n",
                           "9223372036854775809.0.0",
                           "99999999999999999999.0.0",
                           "1.-2.3",
                           "1..3"}) {
    const Result<Version> parsed = parse_version(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidValue);
    EXPECT_THAT(parsed.error().message, HasSubstr("the version '"));
  }
  EXPECT_FALSE(parse_version("1.0.0-" + std::string(300, 'a')).ok());
  EXPECT_FALSE(parse_version(std::string("1.0.0\0", 6)).ok());
}

TEST(Version, OrdersTheExamplesOfTheSpecification) {
  const std::vector<std::string> ascending = {
      "0.0.1",      "0.1.0",        "1.0.0-1",       "1.0.0-2",
      "1.0.0-10",   "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
      "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
      "1.0.0",      "2.0.0",        "2.1.0",         "2.1.1",
      "2.1.10",     "10.0.0"};

  for (size_t a = 0; a < ascending.size(); ++a) {
    for (size_t b = 0; b < ascending.size(); ++b) {
      EXPECT_EQ(version(ascending[a]) <=> version(ascending[b]), a <=> b)
          << ascending[a] << " " << ascending[b];
    }
  }
}

TEST(Version, IgnoresBuildsInComparisons) {
  EXPECT_EQ(version("1.0.0+1"), version("1.0.0+2"));
  EXPECT_EQ(version("1.0.0-rc+1"), version("1.0.0-rc"));
}

TEST(Version, ComparesNumbersOfPreReleasesOfAnyLength) {
  EXPECT_LT(version("1.0.0-99999999999999999999"), version("1.0.0-100000000000000000000"));
  EXPECT_LT(version("1.0.0-18446744073709551615"), version("1.0.0-18446744073709551617"));
}

TEST(Version, OfRandomFormIsReadAndWrittenBack) {
  RandomVersions random;

  for (int i = 0; i < 2000; ++i) {
    const std::string text = random.next();
    EXPECT_EQ(to_string(version(text)), text);
  }
}

TEST(Version, OrderIsTotalAndTransitive) {
  RandomVersions random;
  std::vector<Version> versions;
  for (int i = 0; i < 60; ++i) versions.push_back(version(random.next()));

  for (const Version& a : versions) {
    EXPECT_EQ(a <=> a, std::strong_ordering::equal);
    for (const Version& b : versions) {
      EXPECT_EQ(a <=> b, 0 <=> (b <=> a)) << to_string(a) << " " << to_string(b);
      EXPECT_EQ(a == b, (a <=> b) == 0);
      for (const Version& c : versions) {
        if (a <= b && b <= c) {
          EXPECT_LE(a, c) << to_string(a) << " " << to_string(b) << " " << to_string(c);
        }
      }
    }
  }
}

// A range with versions that are in it and versions that are not, blanks between them.
struct RangeExample {
  const char* range;
  std::vector<const char*> contained;
  std::vector<const char*> left_out;
};

class VersionRangeExamples : public testing::TestWithParam<RangeExample> {};

TEST_P(VersionRangeExamples, ContainsWhatItsTextSays) {
  const VersionRange read = range(GetParam().range);

  EXPECT_EQ(read.text(), GetParam().range);
  for (const char* text : GetParam().contained) {
    EXPECT_TRUE(read.contains(version(text))) << GetParam().range << " " << text;
  }
  for (const char* text : GetParam().left_out) {
    EXPECT_FALSE(read.contains(version(text))) << GetParam().range << " " << text;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, VersionRangeExamples,
    testing::Values(
        RangeExample{"*", {"0.0.0", "99.0.0", "1.2.3+build"}, {"1.0.0-rc.1"}},
        RangeExample{"x", {"0.0.0", "1.2.3"}, {"1.0.0-rc.1"}}, RangeExample{">=*", {"0.0.0", "1.2.3"}, {}},
        RangeExample{"=1.0.0", {"1.0.0", "1.0.0+7"}, {"1.0.1", "1.0.0-rc.1"}},
        RangeExample{"1.0.0", {"1.0.0"}, {"1.0.1", "0.9.9"}},
        RangeExample{"1.0.0-rc.1", {"1.0.0-rc.1"}, {"1.0.0", "1.0.0-rc.2"}},
        RangeExample{">=1.2.0 <2.0.0", {"1.2.0", "1.99.0"}, {"1.1.9", "2.0.0", "2.0.0-rc.1", "1.5.0-rc"}},
        RangeExample{">= 1.2.0\t< 2.0.0", {"1.2.0"}, {"2.0.0"}},
        RangeExample{">1.2.3", {"1.2.4", "2.0.0"}, {"1.2.3", "1.2.4-rc"}},
        RangeExample{"<=1.2.3", {"1.2.3", "0.0.1"}, {"1.2.4", "1.2.3-rc"}},
        RangeExample{"<1.2.3-rc.2", {"1.2.2", "1.2.3-rc.1"}, {"1.2.3-rc.2", "1.2.2-rc.1"}},
        RangeExample{"1", {"1.0.0", "1.9.9"}, {"0.9.9", "2.0.0", "2.0.0-0"}},
        RangeExample{"1.x", {"1.0.0", "1.9.9"}, {"2.0.0"}}, RangeExample{"1.X.*", {"1.9.9"}, {"2.0.0"}},
        RangeExample{"1.2.*", {"1.2.0", "1.2.9"}, {"1.3.0", "1.1.9"}},
        RangeExample{"=1.2", {"1.2.0", "1.2.9"}, {"1.3.0"}},
        RangeExample{">1.2", {"1.3.0", "2.0.0"}, {"1.2.9", "1.3.0-rc"}},
        RangeExample{">1", {"2.0.0"}, {"1.9.9"}}, RangeExample{">=1.2", {"1.2.0", "2.0.0"}, {"1.1.9"}},
        RangeExample{"<1.2", {"1.1.9"}, {"1.2.0", "1.2.0-rc"}},
        RangeExample{"<=1.2", {"1.2.9", "0.1.0"}, {"1.3.0", "1.3.0-0"}},
        RangeExample{"<=1", {"1.2.9"}, {"2.0.0"}},
        RangeExample{"^1.2.3", {"1.2.3", "1.9.0"}, {"1.2.2", "2.0.0", "2.0.0-rc.1"}},
        RangeExample{"^1.2", {"1.2.0", "1.9.0"}, {"1.1.9", "2.0.0"}},
        RangeExample{"^1", {"1.0.0", "1.9.0"}, {"0.9.0", "2.0.0"}},
        RangeExample{"^0.2.3", {"0.2.3", "0.2.9"}, {"0.2.2", "0.3.0"}},
        RangeExample{"^0.0.3", {"0.0.3"}, {"0.0.2", "0.0.4"}},
        RangeExample{"^0.0", {"0.0.0", "0.0.9"}, {"0.1.0"}},
        RangeExample{"^0", {"0.0.0", "0.9.9"}, {"1.0.0"}}, RangeExample{"^0.0.0", {"0.0.0"}, {"0.0.1"}},
        RangeExample{"^1.x", {"1.0.0", "1.9.0"}, {"2.0.0"}}, RangeExample{"^*", {"0.0.0", "7.0.0"}, {}},
        RangeExample{"^1.2.3-beta.2",
                     {"1.2.3-beta.2", "1.2.3-beta.11", "1.2.3", "1.4.0"},
                     {"1.2.3-beta.1", "1.2.4-beta.2", "2.0.0-beta.2"}},
        RangeExample{"~1.2.3", {"1.2.3", "1.2.9"}, {"1.2.2", "1.3.0"}},
        RangeExample{"~1.2", {"1.2.0", "1.2.9"}, {"1.3.0"}},
        RangeExample{"~1", {"1.0.0", "1.9.0"}, {"2.0.0"}},
        RangeExample{"~0.0.1", {"0.0.1", "0.0.9"}, {"0.1.0"}}, RangeExample{"~*", {"3.0.0"}, {}},
        RangeExample{"~1.2.3-rc.1", {"1.2.3-rc.2", "1.2.3"}, {"1.2.4-rc.2"}},
        RangeExample{"<1.0.0 || >=2.0.0", {"0.9.0", "2.0.0"}, {"1.0.0", "1.9.9"}},
        RangeExample{"1.0.0||2.0.0", {"1.0.0", "2.0.0"}, {"1.5.0"}},
        RangeExample{"1.0.0-rc || *", {"1.0.0-rc", "3.0.0"}, {"1.0.0-rd"}},
        RangeExample{"^9223372036854775808", {"9223372036854775808.0.0"}, {"0.0.0"}}));

TEST(VersionRange, RefusesWhatItDoesNotUnderstandAndNamesThePart) {
  const std::vector<std::pair<const char*, const char*>> examples = {
      {"", "''"},
      {"  ", "empty part"},
      {"1.0.0 ||", "empty part"},
      {"|| 1", "empty part"},
      {"1.0.0 || || 2.0.0", "empty part"},
      {"1.2 - 1.4", "'-'"},
      {"v1.0.0", "'v1.0.0'"},
      {"==1.0.0", "'==1.0.0'"},
      {"~>1.0", "'~>1.0'"},
      {"=>1.0", "'=>1.0'"},
      {"!1.0", "'!1.0'"},
      {">=", "'>='"},
      {">= <2", "'>=<2'"},
      {"1.2.3.4", "'1.2.3.4'"},
      {"1.x.3", "'1.x.3'"},
      {"*.1", "'*.1'"},
      {"1.2-rc", "'1.2-rc'"},
      {"1..2", "'1..2'"},
      {"01.2", "'01.2'"},
      {">1.0.0,<2.0.0", "'>1.0.0,<2.0.0'"},
      {"1.0.0 | 2.0.0", "'|'"},
      {">*", "contains no version"},
      {"<x", "contains no version"},
      {"latest", "'latest'"},
      {"1.0.0\n", "\\n"},
      {"99999999999999999999", "'99999999999999999999'"},
  };
  for (const auto& [text, part] : examples) {
    const Result<VersionRange> parsed = VersionRange::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidValue);
    EXPECT_THAT(parsed.error().message, HasSubstr(part)) << text;
  }
  EXPECT_FALSE(VersionRange::parse(std::string(2000, '1')).ok());
}

TEST(VersionRange, ContainsEveryReleaseUnlessSaidOtherwise) {
  EXPECT_EQ(VersionRange().text(), "*");
  EXPECT_TRUE(VersionRange().contains(version("1.2.3")));
  EXPECT_FALSE(VersionRange().contains(version("1.2.3-rc.1")));
}

TEST(VersionRange, AgreesWithTheOrderOfVersions) {
  RandomVersions random;

  for (int i = 0; i < 3000; ++i) {
    const Version bound = version(random.next());
    Version other = version(random.next());
    const std::string text = to_string(bound);

    EXPECT_TRUE(range("=" + text).contains(bound)) << text;
    EXPECT_TRUE(range("^" + text).contains(bound)) << text;
    EXPECT_TRUE(range("~" + text).contains(bound)) << text;
    EXPECT_FALSE(range(">" + text).contains(bound)) << text;
    EXPECT_EQ(range(">=" + text + " <=" + text).contains(other), other == bound) << text;
    other.pre_release = {};
    EXPECT_EQ(range(">=" + text).contains(other), other >= bound) << text << " " << to_string(other);
    EXPECT_NE(range("<" + text).contains(other), range(">=" + text).contains(other)) << text;
    EXPECT_TRUE(range("<" + text + " || >=" + text).contains(other)) << text;
  }
}

}  // namespace
}  // namespace llama_gpu::plugins
