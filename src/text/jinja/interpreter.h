// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/jinja/ast.h"
#include "text/jinja/runtime.h"

namespace llama_gpu::text::jinja {

// Variables of one scope. A name that is there without a value is unset: it hides the one outside.
struct Scope {
  std::shared_ptr<Scope> outer;
  std::unordered_map<std::string, std::optional<Value>> names;
};

// Runs one program once. One thread.
class Interpreter {
 public:
  // All outlive it.
  Interpreter(const Program& program, Runtime& runtime) : program_(program), runtime_(runtime) {}
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // `variables`: what the template finds by name.
  Result<TaggedText> run(const std::vector<std::pair<std::string, Value>>& variables);

 private:
  friend class Macro;
  friend class ConditionalItems;

  // How a body ended: at its end, or by a jump out of its loop.
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  Result<Flow> execute(const Body& body);
  Result<Flow> run_statement(const Text& text, SourceOffset offset);
  Result<Flow> run_statement(const Output& output, SourceOffset offset);
  Result<Flow> run_statement(const Assign& assign, SourceOffset offset);
  Result<Flow> run_statement(const AssignBlock& block, SourceOffset offset);
  Result<Flow> run_statement(const If& branches, SourceOffset offset);
  Result<Flow> run_statement(const For& loop, SourceOffset offset);
  Result<Flow> run_statement(const std::shared_ptr<MacroDefinition>& macro, SourceOffset offset);
  Result<Flow> run_statement(const CallBlock& block, SourceOffset offset);
  Result<Flow> run_statement(const FilterBlock& block, SourceOffset offset);
  Result<Flow> run_statement(const With& with, SourceOffset offset);
  Result<Flow> run_statement(const Break&, SourceOffset) { return Flow::kBreak; }
  Result<Flow> run_statement(const Continue&, SourceOffset) { return Flow::kContinue; }

  Result<Value> evaluate(const Expression& expression);
  Result<Value> value_of(const Literal& literal, SourceOffset offset);
  Result<Value> value_of(const NameLookup& name, SourceOffset offset);
  Result<Value> value_of(const SequenceLiteral& sequence, SourceOffset offset);
  Result<Value> value_of(const DictLiteral& dict, SourceOffset offset);
  Result<Value> value_of(const AttributeAccess& access, SourceOffset offset);
  Result<Value> value_of(const ItemAccess& access, SourceOffset offset);
  Result<Value> value_of(const SliceAccess& access, SourceOffset offset);
  Result<Value> value_of(const Call& call, SourceOffset offset);
  Result<Value> value_of(const FilterUse& use, SourceOffset offset);
  Result<Value> value_of(const TestUse& use, SourceOffset offset);
  Result<Value> value_of(const Unary& unary, SourceOffset offset);
  Result<Value> value_of(const Binary& binary, SourceOffset offset);
  Result<Value> value_of(const Logical& logical, SourceOffset offset);
  Result<Value> value_of(const Comparison& comparison, SourceOffset offset);
  Result<Value> value_of(const Concatenation& concatenation, SourceOffset offset);
  Result<Value> value_of(const Conditional& conditional, SourceOffset offset);

  Result<CallArguments> evaluate_arguments(const ArgumentList& list);
  Result<Value> call(const Value& callee, CallArguments arguments);
  Result<bool> compare(CompareOperator op, const Value& left, const Value& right);
  Result<std::optional<int64_t>> slice_bound(const ExpressionPtr& bound);
  Result<Value> look_up(const std::string& name);
  // Adds what `**value` passes to the arguments before it.
  Status unpack_named(const Value& value, CallArguments& arguments);

  Status assign(const Target& target, Value value);
  Status unpack(const Target& target, const Value& value);
  // Runs a body with its output kept from the template's, in a scope of its own.
  struct Captured {
    Flow flow;
    Value text;
  };
  Result<Captured> capture(const Body& body, std::shared_ptr<Scope> scope);
  Result<Value> filter_text(const ExpressionPtr& filter, Value text, std::shared_ptr<Scope> scope);
  // One pass through a loop's body.
  Result<Flow> run_pass(const For& loop, const Value& state);
  Result<Value> define(const std::shared_ptr<MacroDefinition>& macro);
  Result<std::shared_ptr<Scope>> inner_scope(const HiddenNames& hidden);

  const Program& program_;
  Runtime& runtime_;
  std::shared_ptr<Scope> scope_;
  TextBuilder* out_ = nullptr;
  std::optional<Value> block_text_;  // what a filter block's first filter works on
  // Scopes that macros refer to, and that refer to the macros: ended with the interpreter.
  std::vector<std::pair<std::shared_ptr<Scope>, MemoryCharge>> captured_scopes_;
};

// Puts `value` in place of `place` for as long as it lives.
template <typename T>
class Exchange {
 public:
  Exchange(T& place, T value) : place_(place), previous_(std::exchange(place, std::move(value))) {}
  ~Exchange() { place_ = std::move(previous_); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 private:
  T& place_;
  T previous_;
};

}  // namespace llama_gpu::text::jinja
