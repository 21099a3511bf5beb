// SPDX-License-Identifier: Apache-2.0
#include "plugins/dependency_check.h"

#include <algorithm>
#include <set>
#include <utility>

namespace llama_gpu::plugins {
namespace {

// Depth first over what plugins need. A package has few dependencies, but a set may be one long chain: so the
// path is a vector, not the stack of calls.
class SetResolver {
 public:
  explicit SetResolver(std::span<const SetMember> members) {
    for (const SetMember& member : members) members_[member.id] = &member;
  }

  ResolvedSet resolve() {
    for (const auto& [id, member] : members_) {
      if (member->is_enabled) find_conflicts(*member);
    }
    for (const auto& [id, member] : members_) {
      if (member->is_enabled) visit(*member);
    }
    return std::move(set_);
  }

 private:
  struct Visit {
    const SetMember* member;
    size_t next = 0;  // dependency to look at
  };

  void note(const std::string& id, std::string code, std::string reason) {
    set_.problems.try_emplace(id, DependencyProblem{std::move(code), std::move(reason)});
  }

  void find_conflicts(const SetMember& member) {
    if (member.manifest == nullptr) return;
    for (const PluginDependency& conflict : member.manifest->conflicts) {
      const auto other = members_.find(conflict.id);
      if (other == members_.end() || other->second == &member || !other->second->is_enabled) continue;
      const PluginManifest* manifest = other->second->manifest;
      if (manifest == nullptr || !conflict.range.contains(manifest->version)) continue;
      note(member.id, "conflict",
           "it must not run with " + conflict.id + " " + to_string(manifest->version) + ", which is enabled");
    }
  }

  void visit(const SetMember& first) {
    if (!seen_.insert(first.id).second) return;
    path_ = {{&first}};
    while (!path_.empty()) {
      Visit& top = path_.back();
      const SetMember& member = *top.member;
      const bool has_more = member.manifest != nullptr && top.next < member.manifest->dependencies.size();
      if (has_more) {
        look_at(member, member.manifest->dependencies[top.next++]);
      } else {
        if (!set_.problems.contains(member.id)) set_.order.push_back(member.id);
        path_.pop_back();
        // What needs it looks at it again, now that it is known to be good or not.
        if (!path_.empty()) inherit(*path_.back().member, member.id);
      }
    }
  }

  void look_at(const SetMember& member, const PluginDependency& dependency) {
    const std::string wanted = "it needs " + dependency.id + " " + dependency.range.text();
    const auto found = members_.find(dependency.id);
    if (found == members_.end())
      return note(member.id, "dependency_missing", wanted + ", which is not installed");
    const SetMember& other = *found->second;
    if (!other.is_enabled) return note(member.id, "dependency_missing", wanted + ", which is not enabled");
    if (other.manifest == nullptr)
      return note(member.id, "dependency_missing", wanted + ", whose package cannot be read");
    if (!dependency.range.contains(other.manifest->version)) {
      return note(member.id, "dependency_missing",
                  wanted + ", but " + to_string(other.manifest->version) + " is installed");
    }
    if (is_on_path(other.id)) return note_cycle(other.id);
    if (seen_.insert(other.id).second) {
      path_.push_back({&other});
    } else {
      inherit(member, other.id);
    }
  }

  void inherit(const SetMember& member, const std::string& needed) {
    if (set_.problems.contains(needed))
      note(member.id, "dependency_missing", "it needs " + needed + ", which cannot run");
  }

  bool is_on_path(const std::string& id) const {
    return std::any_of(path_.begin(), path_.end(),
                       [&](const Visit& visit) { return visit.member->id == id; });
  }

  void note_cycle(const std::string& id) {
    const auto first =
        std::find_if(path_.begin(), path_.end(), [&](const Visit& visit) { return visit.member->id == id; });
    std::string circle = id;
    for (auto visit = first + 1; visit != path_.end(); ++visit) circle += " needs " + visit->member->id;
    circle += " needs " + id;
    for (auto visit = first; visit != path_.end(); ++visit)
      note(visit->member->id, "dependency_cycle", circle);
  }

  std::map<std::string, const SetMember*> members_;
  std::set<std::string> seen_;
  std::vector<Visit> path_;
  ResolvedSet set_;
};

}  // namespace

ResolvedSet resolve_set(std::span<const SetMember> members) { return SetResolver(members).resolve(); }

}  // namespace llama_gpu::plugins
