// SPDX-License-Identifier: Apache-2.0
#include "plugins/dependency_check.h"

#include <gmock/gmock.h>

#include <deque>

namespace llama_gpu::plugins {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A set under construction.
class Universe {
 public:
  struct Needs {
    std::vector<std::pair<std::string, std::string>> dependencies = {}, conflicts = {};  // id, range
  };

  SetMember& add(const std::string& id, const std::string& version, const Needs& needs) {
    PluginManifest& manifest = manifests_.emplace_back();
    manifest.id = id;
    manifest.version = parse_version(version).value();
    for (const auto& [other, range] : needs.dependencies)
      manifest.dependencies.push_back({other, VersionRange::parse(range).value()});
    for (const auto& [other, range] : needs.conflicts)
      manifest.conflicts.push_back({other, VersionRange::parse(range).value()});
    return members_.emplace_back(SetMember{id, true, &manifest});
  }
  SetMember& add(const std::string& id, const std::string& version) { return add(id, version, Needs()); }

  ResolvedSet resolve() const {
    return resolve_set(std::vector<SetMember>(members_.begin(), members_.end()));
  }
  std::string reason(const std::string& id) const {
    const ResolvedSet set = resolve();
    const auto problem = set.problems.find(id);
    return problem == set.problems.end() ? "" : problem->second.reason_code + ": " + problem->second.reason;
  }

 private:
  std::deque<PluginManifest> manifests_;
  std::deque<SetMember> members_;
};

TEST(ResolveSet, OrdersEachPluginAfterWhatItNeeds) {
  Universe set;
  set.add("p/a", "1.0.0", {{{"p/c", "^1.0"}, {"p/b", "*"}}});
  set.add("p/b", "1.0.0", {{{"p/c", ">=1.0.0"}}});
  set.add("p/c", "1.2.0");

  EXPECT_THAT(set.resolve().problems, IsEmpty());
  EXPECT_THAT(set.resolve().order, ElementsAre("p/c", "p/b", "p/a"));
}

TEST(ResolveSet, SaysWhatIsMissing) {
  Universe set;
  set.add("p/a", "1.0.0", {{{"p/none", "^2.0"}}});
  set.add("p/b", "1.0.0", {{{"p/off", "*"}}});
  set.add("p/off", "1.0.0").is_enabled = false;
  set.add("p/c", "1.0.0", {{{"p/lost", "*"}}});
  set.add("p/lost", "1.0.0").manifest = nullptr;
  set.add("p/d", "1.0.0", {{{"p/new", "^2.0"}}});
  set.add("p/new", "3.0.0");
  set.add("p/e", "1.0.0", {{{"p/a", "*"}}});

  EXPECT_EQ(set.reason("p/a"), "dependency_missing: it needs p/none ^2.0, which is not installed");
  EXPECT_EQ(set.reason("p/b"), "dependency_missing: it needs p/off *, which is not enabled");
  EXPECT_EQ(set.reason("p/c"), "dependency_missing: it needs p/lost *, whose package cannot be read");
  EXPECT_EQ(set.reason("p/d"), "dependency_missing: it needs p/new ^2.0, but 3.0.0 is installed");
  EXPECT_EQ(set.reason("p/e"), "dependency_missing: it needs p/a, which cannot run");
  EXPECT_EQ(set.reason("p/off"), "");
  EXPECT_THAT(set.resolve().order, ElementsAre("p/lost", "p/new"));
}

TEST(ResolveSet, NamesTheWholeCircle) {
  Universe set;
  set.add("p/a", "1.0.0", {{{"p/b", "*"}}});
  set.add("p/b", "1.0.0", {{{"p/c", "*"}}});
  set.add("p/c", "1.0.0", {{{"p/b", "*"}}});
  set.add("p/self", "1.0.0", {{{"p/self", "*"}}});

  EXPECT_EQ(set.reason("p/b"), "dependency_cycle: p/b needs p/c needs p/b");
  EXPECT_EQ(set.reason("p/c"), "dependency_cycle: p/b needs p/c needs p/b");
  EXPECT_EQ(set.reason("p/self"), "dependency_cycle: p/self needs p/self");
  EXPECT_EQ(set.reason("p/a"), "dependency_missing: it needs p/b, which cannot run");
  EXPECT_THAT(set.resolve().order, IsEmpty());
}

TEST(ResolveSet, KeepsApartWhatMustNotMeet) {
  Universe set;
  set.add("p/a", "1.0.0", {{}, {{"p/b", "<2.0.0"}, {"p/none", "*"}, {"p/a", "*"}, {"p/off", "*"}}});
  set.add("p/b", "1.5.0");
  set.add("p/off", "1.0.0").is_enabled = false;

  EXPECT_EQ(set.reason("p/a"), "conflict: it must not run with p/b 1.5.0, which is enabled");
  EXPECT_EQ(set.reason("p/b"), "");
}

TEST(ResolveSet, FollowsALongChainWithoutAStackOfCalls) {
  constexpr int kLength = 3'000;
  Universe set;
  for (int i = 0; i < kLength; ++i) {
    set.add("p/n" + std::to_string(i), "1.0.0",
            i + 1 < kLength ? Universe::Needs{{{"p/n" + std::to_string(i + 1), "*"}}} : Universe::Needs());
  }
  EXPECT_EQ(set.resolve().order.size(), static_cast<size_t>(kLength));
  EXPECT_EQ(set.resolve().order.front(), "p/n" + std::to_string(kLength - 1));
}

}  // namespace
}  // namespace llama_gpu::plugins
