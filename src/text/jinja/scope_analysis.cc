// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/scope_analysis.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "text/jinja/ast_walk.h"

// Jinja2 compiles a template to Python functions, whose variables belong to a whole scope: a name that a
// scope assigns anywhere is its own from the start. Where the first use of a name in a scope is an
// assignment, and no scope around it knows the name, the variable starts out unset and hides a variable of
// the same name that the caller passed in:
//
//     {% for x in [1] %}{{ tools }}{% endfor %}{% set tools = 2 %}   prints nothing, whatever `tools` was
//
// A name that only some branches of an `if` assign starts with what it was outside. This file finds the unset
// names by going through a scope's statements in the order in which Jinja2 does.

namespace llama_gpu::text::jinja {
namespace {

// What is known of the names of one scope, or of one branch in it.
class ScopeNames {
 public:
  explicit ScopeNames(const ScopeNames* parent) : parent_(parent) {}
  // What a branch of an `if` knows: all that `scope` knew before it, and its own.
  static ScopeNames branch_of(const ScopeNames& scope) {
    ScopeNames branch(scope.parent_);
    branch.base_ = &scope;
    return branch;
  }

  void load(const std::string& name) {
    if (!is_known(name)) starts_[name] = Start::kOutside;
  }
  void store(const std::string& name) {
    stores_.insert(name);
    if (is_own(name)) return;
    const bool is_outer = parent_ != nullptr && parent_->is_known(name);
    starts_[name] = is_outer ? Start::kOutside : Start::kUnset;
  }
  void declare(const std::string& name) {
    stores_.insert(name);
    starts_[name] = Start::kGiven;
  }
  // Takes over what the branches of an `if` do.
  void join(const std::vector<ScopeNames>& branches) {
    std::map<std::string, size_t> counts;
    for (const auto& branch : branches) {
      for (const auto& name : branch.stores_) counts[name] += is_stored(name) ? 0 : 1;
    }
    for (const auto& branch : branches) {
      for (const auto& [name, start] : branch.starts_) starts_[name] = start;
      stores_.insert(branch.stores_.begin(), branch.stores_.end());
    }
    for (const auto& [name, count] : counts) {
      if (count > 0 && count < branches.size()) starts_[name] = Start::kOutside;
    }
  }
  HiddenNames unset() const {
    HiddenNames names;
    for (const auto& [name, start] : starts_) {
      if (start == Start::kUnset) names.push_back(name);
    }
    return names;
  }

 private:
  enum class Start { kOutside, kUnset, kGiven };

  bool is_own(const std::string& name) const {
    return starts_.contains(name) || (base_ != nullptr && base_->is_own(name));
  }
  bool is_stored(const std::string& name) const {
    return stores_.contains(name) || (base_ != nullptr && base_->is_stored(name));
  }
  bool is_known(const std::string& name) const {
    return is_own(name) || (parent_ != nullptr && parent_->is_known(name));
  }

  const ScopeNames* parent_;
  const ScopeNames* base_ = nullptr;
  std::map<std::string, Start> starts_;
  std::set<std::string> stores_;
};

void load_names(const Expression& expression, ScopeNames& names) {
  if (const auto* lookup = std::get_if<NameLookup>(&expression.node)) names.load(lookup->name);
  for_each_child(expression, [&](const Expression& child) { load_names(child, names); });
}

void load_names(const ExpressionPtr& expression, ScopeNames& names) {
  if (expression != nullptr) load_names(*expression, names);
}

// Calls `visit` with each name that the target assigns.
template <typename Visit>
void for_each_name(const Target& target, Visit visit) {
  if (!target.is_tuple) visit(target.name);
  for (const Target& part : target.parts) for_each_name(part, visit);
}

void store_target(const Target& target, ScopeNames& names) {
  if (!target.attribute.empty()) return names.load(target.name);
  for_each_name(target, [&](const std::string& name) { names.store(name); });
}

// Notes the names that a scope's own statements use, without those of scopes inside it.
class NameCollector {
 public:
  explicit NameCollector(ScopeNames& names) : names_(names) {}

  void collect(const Body& body) {
    for (const Statement& statement : body) std::visit(*this, statement.node);
  }
  void operator()(const Text&) {}
  void operator()(const Break&) {}
  void operator()(const Continue&) {}
  void operator()(const Output& output) { load_names(output.expression, names_); }
  void operator()(const Assign& assign) {
    load_names(assign.value, names_);
    store_target(assign.target, names_);
  }
  void operator()(const AssignBlock& block) { store_target(block.target, names_); }
  void operator()(const For& loop) { load_names(loop.items, names_); }
  void operator()(const std::shared_ptr<MacroDefinition>& macro) { names_.store(macro->name); }
  void operator()(const CallBlock& block) { load_names(block.call, names_); }
  void operator()(const FilterBlock& block) { load_names(block.filter, names_); }
  void operator()(const With& with) {
    for (const auto& [target, value] : with.assignments) load_names(value, names_);
  }
  void operator()(const If& branches) {
    load_names(branches.branches.front().first, names_);
    std::vector<ScopeNames> paths(3, ScopeNames::branch_of(names_));
    NameCollector(paths[0]).collect(branches.branches.front().second);
    for (size_t i = 1; i < branches.branches.size(); ++i) {
      load_names(branches.branches[i].first, paths[1]);
      std::vector<ScopeNames> inner(3, ScopeNames::branch_of(paths[1]));
      NameCollector(inner[0]).collect(branches.branches[i].second);
      paths[1].join(inner);
    }
    NameCollector(paths[2]).collect(branches.otherwise);
    names_.join(paths);
  }

 private:
  ScopeNames& names_;
};

// Whether a body uses a name before it assigns it: then a macro gets what the name stands for.
class NameFinder {
 public:
  explicit NameFinder(std::string_view name) : name_(name) {}

  bool finds_in(const Body& body) {
    look(body);
    return state_ == State::kUsed;
  }
  void operator()(const Text&) {}
  void operator()(const Break&) {}
  void operator()(const Continue&) {}
  void operator()(const Output& output) { look(output.expression); }
  void operator()(const Assign& assign) { assigns(assign.target), look(assign.value); }
  void operator()(const AssignBlock& block) { assigns(block.target), look(block.filter), look(block.body); }
  void operator()(const For& loop) {
    assigns(loop.target), look(loop.items), look(loop.body), look(loop.otherwise), look(loop.condition);
  }
  void operator()(const std::shared_ptr<MacroDefinition>& macro) {
    for (const auto& parameter : macro->parameters) note(parameter.name, State::kAssigned);
    for (const auto& parameter : macro->parameters) look(parameter.otherwise);
    look(macro->body);
  }
  void operator()(const CallBlock& block) { look(block.call), (*this)(block.caller); }
  void operator()(const FilterBlock& block) { look(block.body), look(block.filter); }
  void operator()(const With& with) {
    for (const auto& [target, value] : with.assignments) assigns(target);
    for (const auto& [target, value] : with.assignments) look(value);
    look(with.body);
  }
  void operator()(const If& branches) {
    for (const auto& [condition, body] : branches.branches) look(condition), look(body);
    look(branches.otherwise);
  }

 private:
  enum class State { kUnseen, kUsed, kAssigned };

  void note(std::string_view name, State state) {
    if (name == name_ && state_ == State::kUnseen) state_ = state;
  }
  void look(const Body& body) {
    for (const Statement& statement : body) std::visit(*this, statement.node);
  }
  void look(const ExpressionPtr& expression) {
    if (expression != nullptr) look(*expression);
  }
  void look(const Expression& expression) {
    if (const auto* lookup = std::get_if<NameLookup>(&expression.node)) note(lookup->name, State::kUsed);
    for_each_child(expression, [&](const Expression& child) { look(child); });
  }
  void assigns(const Target& target) {
    if (!target.attribute.empty()) return;
    for_each_name(target, [&](const std::string& name) { note(name, State::kAssigned); });
  }

  std::string_view name_;
  State state_ = State::kUnseen;
};

// Where in the program an expression or statement stands.
struct Surroundings {
  const ScopeNames* names;
  bool in_branch;  // within this scope
  bool in_loop;
};

class Analyzer {
 public:
  explicit Analyzer(std::string_view source) : source_(source) {}

  Status analyze(Body& body, const Surroundings& around) {
    for (Statement& statement : body) {
      TRY_STATUS(std::visit([&](auto& node) { return visit(node, around); }, statement.node));
    }
    return {};
  }

 private:
  Status visit(Text&, const Surroundings&) { return {}; }
  Status visit(Break&, const Surroundings&) { return {}; }
  Status visit(Continue&, const Surroundings&) { return {}; }
  Status visit(Output& output, const Surroundings& around) {
    return check(output.expression, around.in_branch);
  }
  Status visit(Assign& assign, const Surroundings& around) {
    TRY_STATUS(check_target(assign.target, around.in_loop));
    return check(assign.value, around.in_branch);
  }
  Status visit(AssignBlock& block, const Surroundings& around) {
    TRY_STATUS(check_target(block.target, around.in_loop));
    TRY_STATUS(check(block.filter, /*in_branch=*/false));
    return enter(block.body, block.hidden, ScopeNames(around.names), around.in_loop);
  }
  Status visit(If& branches, const Surroundings& around) {
    const Surroundings inside{around.names, /*in_branch=*/true, around.in_loop};
    for (auto& [condition, body] : branches.branches) {
      TRY_STATUS(check(condition, inside.in_branch));
      TRY_STATUS(analyze(body, inside));
    }
    return analyze(branches.otherwise, inside);
  }
  Status visit(For& loop, const Surroundings& around) {
    TRY_STATUS(check_target(loop.target, /*in_loop=*/true));
    TRY_STATUS(check(loop.items, around.in_branch));
    TRY_STATUS(check(loop.condition, /*in_branch=*/false));
    ScopeNames names(around.names);
    names.declare("loop");
    for_each_name(loop.target, [&](const std::string& name) { names.declare(name); });
    TRY_STATUS(enter(loop.body, loop.hidden, std::move(names), /*in_loop=*/true));
    return enter(loop.otherwise, loop.hidden_otherwise, ScopeNames(around.names), /*in_loop=*/true);
  }
  Status visit(std::shared_ptr<MacroDefinition>& macro, const Surroundings& around) {
    return enter_macro(*macro, around);
  }
  Status visit(CallBlock& block, const Surroundings& around) {
    TRY_STATUS(check(block.call, around.in_branch));
    return enter_macro(*block.caller, around);
  }
  Status visit(FilterBlock& block, const Surroundings& around) {
    TRY_STATUS(check(block.filter, /*in_branch=*/false));
    ScopeNames names(around.names);
    NameCollector(names).collect(block.body);
    load_names(block.filter, names);
    return enter(block.body, block.hidden, std::move(names), around.in_loop);
  }
  Status visit(With& with, const Surroundings& around) {
    ScopeNames names(around.names);
    for (const auto& [target, value] : with.assignments) {
      TRY_STATUS(check(value, around.in_branch));
      for_each_name(target, [&](const std::string& name) { names.declare(name); });
    }
    return enter(with.body, with.hidden, std::move(names), around.in_loop);
  }

  // Goes into a scope whose names so far are `names`.
  Status enter(Body& body, HiddenNames& hidden, ScopeNames names, bool in_loop) {
    NameCollector(names).collect(body);
    hidden = names.unset();
    return analyze(body, {&names, /*in_branch=*/false, in_loop});
  }

  Status enter_macro(MacroDefinition& macro, const Surroundings& around) {
    macro.uses_varargs = NameFinder("varargs").finds_in(macro.body);
    macro.uses_kwargs = NameFinder("kwargs").finds_in(macro.body);
    macro.uses_caller = NameFinder("caller").finds_in(macro.body);
    ScopeNames names(around.names);
    for (const auto& parameter : macro.parameters) {
      TRY_STATUS(check(parameter.otherwise, /*in_branch=*/false));
      names.declare(parameter.name);
    }
    for (const auto& parameter : macro.parameters) load_names(parameter.otherwise, names);
    if (macro.uses_varargs) names.declare("varargs");
    if (macro.uses_kwargs) names.declare("kwargs");
    if (macro.uses_caller) names.declare("caller");
    return enter(macro.body, macro.hidden, std::move(names), around.in_loop);
  }

  Status check_target(const Target& target, bool in_loop) {
    bool assigns_loop = false;
    if (in_loop && target.attribute.empty()) {
      for_each_name(target, [&](const std::string& name) { assigns_loop = assigns_loop || name == "loop"; });
    }
    return assigns_loop ? fail(target.offset, "'loop' cannot be assigned to within a loop") : Status();
  }

  // Finds filters and tests that do not exist.
  Status check(const ExpressionPtr& expression, bool in_branch) {
    return expression == nullptr ? Status() : check(*expression, in_branch);
  }
  Status check(const Expression& expression, bool in_branch) {
    const auto* filter = std::get_if<FilterUse>(&expression.node);
    const auto* test = std::get_if<TestUse>(&expression.node);
    if (filter != nullptr && filter->filter == nullptr && !in_branch) {
      return fail(expression.offset, "there is no filter '" + filter->name + "'");
    }
    if (test != nullptr && test->test == nullptr && !in_branch) {
      return fail(expression.offset, "there is no test '" + test->name + "'");
    }
    const bool is_conditional = in_branch || std::holds_alternative<Conditional>(expression.node);
    Status status;
    for_each_child(expression, [&](const Expression& child) {
      if (status.ok()) status = check(child, is_conditional);
    });
    return status;
  }

  Error fail(SourceOffset offset, std::string message) const {
    return syntax_error(source_, offset, std::move(message));
  }

  std::string_view source_;
};

}  // namespace

Status analyze_scopes(Program& program) {
  ScopeNames names(nullptr);
  NameCollector(names).collect(program.body);
  program.hidden = names.unset();
  return Analyzer(program.source).analyze(program.body, {&names, /*in_branch=*/false, /*in_loop=*/false});
}

}  // namespace llama_gpu::text::jinja
