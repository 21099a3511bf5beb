// SPDX-License-Identifier: Apache-2.0
#include "plugins/semver.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::plugins {
namespace {

constexpr size_t kMaxVersionBytes = 256;
constexpr size_t kMaxRangeBytes = 1024;
constexpr uint64_t kMaxVersionNumber = uint64_t{1} << 63;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kIdentifierCharacters =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
constexpr std::string_view kBlanks = " \t";

Error bad_version(std::string_view text, std::string_view why) {
  return Error{ErrorCode::kInvalidValue,
               "the version '" + escape_line(text, kMaxVersionBytes) + "' " + std::string(why),
               "write MAJOR.MINOR.PATCH, such as 1.2.0 or 1.2.0-rc.1 (https://semver.org)"};
}

Error bad_range(std::string_view part, std::string_view why) {
  return Error{ErrorCode::kInvalidValue,
               "the version range '" + escape_line(part, kMaxVersionBytes) + "' " + std::string(why),
               "write comparators such as '>=1.2.0 <2.0.0', '^1.2', '~1.2.3', '1.x' or '*', joined by '||'"};
}

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

// As parts of versions are written: no leading zero.
std::optional<uint64_t> parse_version_number(std::string_view text) {
  if (!consists_of(text, kDigits) || (text.size() > 1 && text[0] == '0') || text.size() > 19) {
    return std::nullopt;
  }
  uint64_t number = 0;  // 19 digits always fit
  for (const char digit : text) number = 10 * number + static_cast<uint64_t>(digit - '0');
  if (number > kMaxVersionNumber) return std::nullopt;
  return number;
}

// "rc.1" of "1.0.0-rc.1"
Result<std::vector<std::string>> parse_pre_release(std::string_view text, std::string_view version) {
  std::vector<std::string> identifiers;
  for (const std::string_view part : split(text, '.')) {
    if (!consists_of(part, kIdentifierCharacters)) {
      return bad_version(version,
                         "has a pre-release that is not made of letters, digits and '-' between dots");
    }
    if (part.size() > 1 && part[0] == '0' && consists_of(part, kDigits)) {
      return bad_version(version, "has a number with a leading zero in its pre-release");
    }
    identifiers.emplace_back(part);
  }
  return identifiers;
}

// Section 11.4: numbers by value and before names, names by their bytes.
std::strong_ordering compare_identifiers(const std::string& a, const std::string& b) {
  const bool is_a_number = consists_of(a, kDigits);
  const bool is_b_number = consists_of(b, kDigits);
  if (is_a_number != is_b_number) {
    return is_a_number ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  // Without leading zeros the longer number is the larger one, however many digits it has.
  if (is_a_number && a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

bool is_same_release(const Version& a, const Version& b) {
  return std::tie(a.major, a.minor, a.patch) == std::tie(b.major, b.minor, b.patch);
}

// "1", "1.2", "1.2.x" or "*": a version of which the last numbers may be left open.
struct PartialVersion {
  Version version = {};    // open numbers are 0
  size_t num_numbers = 0;  // those that are given

  bool is_any() const { return num_numbers == 0; }
  bool is_whole() const { return num_numbers == 3; }
};

Result<PartialVersion> parse_partial(std::string_view text, std::string_view part) {
  if (Result<Version> whole = parse_version(text); whole.ok()) {
    return PartialVersion{*std::move(whole), 3};
  }
  PartialVersion partial;
  const std::vector<std::string_view> numbers = split(text, '.');
  if (numbers.size() > 3) return bad_range(part, "has more than three numbers");
  const std::array<uint64_t*, 3> places = {&partial.version.major, &partial.version.minor,
                                           &partial.version.patch};
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == "*" || numbers[i] == "x" || numbers[i] == "X") continue;
    const std::optional<uint64_t> number = parse_version_number(numbers[i]);
    if (!number || partial.num_numbers != i) return bad_range(part, "cannot be read");
    *places[i] = *number;
    ++partial.num_numbers;
  }
  return partial;
}

// The first release in which the number at `place` (0: major) is larger.
Version next_release(const Version& version, size_t place) {
  Version next;
  next.major = version.major + (place == 0 ? 1 : 0);
  if (place > 0) next.minor = version.minor + (place == 1 ? 1 : 0);
  if (place > 1) next.patch = version.patch + 1;
  return next;
}

// Before all pre-releases of `version`, so that an upper bound lets none of them in.
Version before_pre_releases(Version version) {
  version.pre_release = {"0"};
  return version;
}

// The number that "^" keeps: the first that is not 0.
size_t kept_by_caret(const PartialVersion& partial) {
  const std::array<uint64_t, 3> numbers = {partial.version.major, partial.version.minor,
                                           partial.version.patch};
  for (size_t i = 0; i < partial.num_numbers; ++i) {
    if (numbers[i] != 0) return i;
  }
  return partial.num_numbers - 1;
}

// ">= 1.2  <2" as ">=1.2", "<2".
Result<std::vector<std::string>> split_comparators(std::string_view text) {
  std::vector<std::string> comparators;
  bool wants_version = false;  // an operator stands alone so far
  while (!text.empty()) {
    const size_t start = std::min(text.find_first_not_of(kBlanks), text.size());
    text.remove_prefix(start);
    const std::string_view token = text.substr(0, text.find_first_of(kBlanks));
    text.remove_prefix(token.size());
    if (token.empty()) continue;
    const bool is_operator = token.find_first_not_of("<>=^~") == std::string_view::npos;
    if (wants_version && is_operator) return bad_range(token, "is an operator where a version is expected");
    if (wants_version) {
      comparators.back() += token;
    } else {
      comparators.emplace_back(token);
    }
    wants_version = is_operator;
  }
  if (wants_version) return bad_range(comparators.back(), "is an operator without a version");
  return comparators;
}

}  // namespace

std::strong_ordering operator<=>(const Version& a, const Version& b) {
  const auto by_release = std::tie(a.major, a.minor, a.patch) <=> std::tie(b.major, b.minor, b.patch);
  if (by_release != std::strong_ordering::equal) return by_release;
  if (a.pre_release.empty() != b.pre_release.empty()) {
    return a.pre_release.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
  }
  for (size_t i = 0; i < std::min(a.pre_release.size(), b.pre_release.size()); ++i) {
    const auto by_identifier = compare_identifiers(a.pre_release[i], b.pre_release[i]);
    if (by_identifier != std::strong_ordering::equal) return by_identifier;
  }
  return a.pre_release.size() <=> b.pre_release.size();
}

Result<Version> parse_version(std::string_view text) {
  if (text.size() > kMaxVersionBytes) return bad_version(text, "is longer than 256 bytes");
  Version version;
  std::string_view rest = text;
  if (const size_t plus = rest.find('+'); plus != std::string_view::npos) {
    version.build = rest.substr(plus + 1);
    rest = rest.substr(0, plus);
    for (const std::string_view part : split(version.build, '.')) {
      if (!consists_of(part, kIdentifierCharacters)) {
        return bad_version(text, "has a build that is not made of letters, digits and '-' between dots");
      }
    }
  }
  if (const size_t dash = rest.find('-'); dash != std::string_view::npos) {
    TRY(version.pre_release, parse_pre_release(rest.substr(dash + 1), text));
    rest = rest.substr(0, dash);
  }
  const std::vector<std::string_view> parts = split(rest, '.');
  if (parts.size() != 3) return bad_version(text, "does not have three numbers");
  const std::array<uint64_t*, 3> places = {&version.major, &version.minor, &version.patch};
  for (size_t i = 0; i < places.size(); ++i) {
    const std::optional<uint64_t> number = parse_version_number(parts[i]);
    if (!number) {
      return bad_version(text, "has a part that is not a number from 0 to 2^63 without leading zeros");
    }
    *places[i] = *number;
  }
  return version;
}

std::string to_string(const Version& version) {
  std::string text = std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
                     std::to_string(version.patch);
  for (size_t i = 0; i < version.pre_release.size(); ++i) {
    text += (i == 0 ? "-" : ".") + version.pre_release[i];
  }
  if (!version.build.empty()) text += "+" + version.build;
  return text;
}

Status VersionRange::add_comparator(std::string_view text, ComparatorSet& set) {
  const size_t operator_end = std::min(text.find_first_not_of("<>=^~"), text.size());
  const std::string_view relation = text.substr(0, operator_end);
  TRY(const PartialVersion partial, parse_partial(text.substr(operator_end), text));
  const Version& version = partial.version;
  const auto from = [&] { set.push_back({Relation::kGreaterOrEqual, version}); };
  const auto up_to_next = [&](size_t place) {
    set.push_back({Relation::kLess, before_pre_releases(next_release(version, place))});
  };

  const bool is_strict = relation == ">" || relation == "<";
  const bool is_known = is_strict || relation.empty() || relation == "=" || relation == ">=" ||
                        relation == "<=" || relation == "^" || relation == "~";
  if (!is_known) return bad_range(text, "begins with an operator that is none of = < <= > >= ^ ~");
  if (partial.is_any()) {
    if (is_strict) return bad_range(text, "contains no version");
    return {};
  }
  const size_t last = partial.num_numbers - 1;
  if (relation == "^" || relation == "~") {
    from();
    up_to_next(relation == "^" ? kept_by_caret(partial) : std::min<size_t>(last, 1));
  } else if (relation == ">=") {
    from();
  } else if (partial.is_whole()) {
    const Relation exact = relation == "<"    ? Relation::kLess
                           : relation == "<=" ? Relation::kLessOrEqual
                           : relation == ">"  ? Relation::kGreater
                                              : Relation::kEqual;
    set.push_back({exact, version});
  } else if (relation == ">") {
    set.push_back({Relation::kGreaterOrEqual, next_release(version, last)});
  } else if (relation == "<") {
    set.push_back({Relation::kLess, before_pre_releases(version)});
  } else {
    if (relation != "<=") from();
    up_to_next(last);
  }
  return {};
}

Result<VersionRange> VersionRange::parse(std::string_view text) {
  if (text.size() > kMaxRangeBytes) return bad_range(text, "is longer than 1024 bytes");
  VersionRange range;
  range.text_ = text;
  range.sets_.clear();
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find("||", start), text.size());
    TRY(const std::vector<std::string> comparators, split_comparators(text.substr(start, end - start)));
    if (comparators.empty()) return bad_range(text, "has an empty part; '*' contains every version");
    ComparatorSet& set = range.sets_.emplace_back();
    for (const std::string& comparator : comparators) TRY_STATUS(add_comparator(comparator, set));
    start = end + 2;
  }
  return range;
}

bool VersionRange::holds(const Comparator& comparator, const Version& version) {
  switch (comparator.relation) {
    case Relation::kLess:
      return version < comparator.version;
    case Relation::kLessOrEqual:
      return version <= comparator.version;
    case Relation::kEqual:
      return version == comparator.version;
    case Relation::kGreaterOrEqual:
      return version >= comparator.version;
    case Relation::kGreater:
      return version > comparator.version;
  }
  return false;
}

bool VersionRange::contains(const Version& version) const {
  return std::ranges::any_of(sets_, [&](const ComparatorSet& set) {
    const bool is_within =
        std::ranges::all_of(set, [&](const Comparator& comparator) { return holds(comparator, version); });
    return is_within &&
           (version.pre_release.empty() || std::ranges::any_of(set, [&](const Comparator& comparator) {
              return !comparator.version.pre_release.empty() && is_same_release(comparator.version, version);
            }));
  });
}

}  // namespace llama_gpu::plugins
