// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llama_gpu::plugins {

// A version as Semantic Versioning 2.0.0 defines it (https://semver.org).
struct Version {
  uint64_t major = 0, minor = 0, patch = 0;
  std::vector<std::string> pre_release = {};  // identifiers of "-rc.1": {"rc", "1"}
  std::string build = {};                     // of "+5"; counts for nothing in comparisons

  // Precedence, section 11: build metadata is ignored.
  friend std::strong_ordering operator<=>(const Version& a, const Version& b);
  friend bool operator==(const Version& a, const Version& b) { return (a <=> b) == 0; }
};

// kInvalidValue for anything else than MAJOR.MINOR.PATCH[-PRE][+BUILD], longer than 256 bytes, or with
// numbers over 2^63.
Result<Version> parse_version(std::string_view text);
std::string to_string(const Version& version);

// A set of versions, as people write it: comparators that must all hold, sets of them joined by "||".
//
//   "*"  ">=1.2.0 <2.0.0"  "^1.2"  "~1.2.3"  "1.x"  "=1.0.0"  "1.2 - 1.4" is not understood
//
// A version may leave its last numbers open: "1.2" is "1.2.x", ">1.2" begins at 1.3.0, "<=1.2" ends before
// 1.3.0. "^" keeps the first number that is not 0, "~" all but the patch. An empty text is no range.
//
// A pre-release is only contained where a comparator of its set names a pre-release of the same
// MAJOR.MINOR.PATCH, as npm does it: nobody gets one without asking.
class VersionRange {
 public:
  VersionRange() = default;  // "*"

  // kInvalidValue naming the part that cannot be read.
  static Result<VersionRange> parse(std::string_view text);

  // Whether the version is in the set; see above for pre-releases.
  bool contains(const Version& version) const;
  // As it was written.
  const std::string& text() const { return text_; }

 private:
  enum class Relation : uint8_t { kLess, kLessOrEqual, kEqual, kGreaterOrEqual, kGreater };
  struct Comparator {
    Relation relation;
    Version version;
  };
  using ComparatorSet = std::vector<Comparator>;  // empty: all

  static Status add_comparator(std::string_view text, ComparatorSet& set);
  static bool holds(const Comparator& comparator, const Version& version);

  std::string text_ = "*";
  std::vector<ComparatorSet> sets_ = {{}};
};

}  // namespace llama_gpu::plugins
