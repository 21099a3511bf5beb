// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/interpreter.h"

#include <string>
#include <utility>

#include "text/jinja/iteration.h"
#include "text/jinja/loop_state.h"
#include "text/jinja/macro.h"
#include "text/jinja/printing.h"

namespace llama_gpu::text::jinja {
namespace {

constexpr size_t kCapturedScopeBytes = 512, kScopeNameBytes = 128;

// Ends a loop also when an error leaves it.
class EndOfLoop {
 public:
  explicit EndOfLoop(LoopState& loop) : loop_(loop) {}
  ~EndOfLoop() { loop_.end(); }
  EndOfLoop(const EndOfLoop&) = delete;
  EndOfLoop& operator=(const EndOfLoop&) = delete;

 private:
  LoopState& loop_;
};

}  // namespace

// The items of a loop for which its condition holds, computed as the loop goes on.
class ConditionalItems final : public Iterator {
 public:
  ConditionalItems(Interpreter& interpreter, const For& loop, std::shared_ptr<Iterator> items)
      : interpreter_(interpreter), loop_(loop), items_(std::move(items)), scope_(interpreter.scope_) {}

  Result<std::optional<Value>> next(Runtime& runtime) override {
    for (;;) {
      TRY(std::optional<Value> item, items_->next(runtime));
      if (!item) return item;
      auto scope = std::make_shared<Scope>();
      scope->outer = scope_;
      const Exchange in_scope(interpreter_.scope_, std::move(scope));
      TRY_STATUS(interpreter_.assign(loop_.target, *item));
      TRY(const Value holds, interpreter_.evaluate(*loop_.condition));
      if (holds.is_true()) return item;
    }
  }
  uint32_t nesting() const override { return items_->nesting() + 1; }

 private:
  Interpreter& interpreter_;
  const For& loop_;
  std::shared_ptr<Iterator> items_;
  std::shared_ptr<Scope> scope_;
};

// Macros and their scopes refer to each other: emptied one by one, none of them ends inside another's end.
Interpreter::~Interpreter() {
  scope_.reset();
  for (const auto& [scope, charge] : captured_scopes_) scope->names.clear();
}

Result<TaggedText> Interpreter::run(const std::vector<std::pair<std::string, Value>>& variables) {
  auto passed = std::make_shared<Scope>();
  for (const auto& [name, value] : variables) passed->names[name] = value;
  scope_ = std::move(passed);
  TRY(scope_, inner_scope(program_.hidden));
  TextBuilder out(runtime_);
  out_ = &out;
  TRY(const Flow flow, execute(program_.body));
  CHECK(flow == Flow::kNext, "a jump outside a loop passed the parser");
  return out.take();
}

Result<Interpreter::Flow> Interpreter::execute(const Body& body) {
  const Runtime::Level level(runtime_);
  TRY_STATUS(runtime_.check_depth());
  for (const Statement& statement : body) {
    TRY_STATUS(runtime_.spend());
    TRY(const Flow flow,
        std::visit([&](const auto& node) { return run_statement(node, statement.offset); }, statement.node));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<std::shared_ptr<Scope>> Interpreter::inner_scope(const HiddenNames& hidden) {
  TRY_STATUS(runtime_.spend(static_cast<int64_t>(hidden.size())));
  auto scope = std::make_shared<Scope>();
  scope->outer = scope_;
  for (const auto& name : hidden) scope->names[name] = std::nullopt;
  return scope;
}

Result<Interpreter::Flow> Interpreter::run_statement(const Text& text, SourceOffset offset) {
  runtime_.set_place(offset);
  TRY_STATUS(append_str(runtime_, *out_, text.value));
  TRY_STATUS(out_->check());
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run_statement(const Output& output, SourceOffset offset) {
  TRY(const Value value, evaluate(*output.expression));
  runtime_.set_place(offset);
  TRY_STATUS(append_str(runtime_, *out_, value));
  TRY_STATUS(out_->check());
  return Flow::kNext;
}

Status Interpreter::unpack(const Target& target, const Value& value) {
  TRY(std::shared_ptr<Iterator> items, iterate(runtime_, value));
  std::vector<Value> values;
  while (values.size() <= target.parts.size()) {
    TRY(std::optional<Value> item, items->next(runtime_));
    if (!item) break;
    values.push_back(std::move(*item));
  }
  if (values.size() != target.parts.size()) {
    const std::string found = values.size() > target.parts.size() ? "more" : std::to_string(values.size());
    return runtime_.fail("a value is unpacked into " + std::to_string(target.parts.size()) +
                         " names, it has " + found);
  }
  for (size_t i = 0; i < values.size(); ++i) TRY_STATUS(assign(target.parts[i], std::move(values[i])));
  return {};
}

Status Interpreter::assign(const Target& target, Value value) {
  if (target.is_tuple) return unpack(target, value);
  if (target.attribute.empty()) {
    scope_->names[target.name] = std::move(value);
    return {};
  }
  TRY(const Value object, look_up(target.name));
  if (object.as_namespace() == nullptr) {
    return runtime_.fail("attributes can be set on a namespace only, and '" + target.name + "' is none");
  }
  TRY(Value name, runtime_.make_text(target.attribute, Origin::kTemplate));
  TRY(const bool is_key,
      object.as_namespace()->attributes.insert(runtime_, std::move(name), std::move(value)));
  CHECK(is_key, "text is always a key");
  return {};
}

Result<Interpreter::Flow> Interpreter::run_statement(const Assign& node, SourceOffset offset) {
  TRY(Value value, evaluate(*node.value));
  runtime_.set_place(offset);
  TRY_STATUS(assign(node.target, std::move(value)));
  return Flow::kNext;
}

Result<Interpreter::Captured> Interpreter::capture(const Body& body, std::shared_ptr<Scope> scope) {
  TextBuilder out(runtime_);
  const Exchange in_scope(scope_, std::move(scope));
  const Exchange<TextBuilder*> to_text(out_, &out);
  TRY(const Flow flow, execute(body));
  TRY(Value text, out.finish());
  return Captured{flow, std::move(text)};
}

Result<Value> Interpreter::filter_text(const ExpressionPtr& filter, Value text,
                                       std::shared_ptr<Scope> scope) {
  if (filter == nullptr) return text;
  const Exchange in_scope(scope_, std::move(scope));
  const Exchange<std::optional<Value>> block_text(block_text_, std::move(text));
  return evaluate(*filter);
}

Result<Interpreter::Flow> Interpreter::run_statement(const AssignBlock& block, SourceOffset offset) {
  TRY(const std::shared_ptr<Scope> scope, inner_scope(block.hidden));
  TRY(Captured captured, capture(block.body, scope));
  if (captured.flow != Flow::kNext) return captured.flow;
  TRY(Value text, filter_text(block.filter, std::move(captured.text), scope));
  runtime_.set_place(offset);
  TRY_STATUS(assign(block.target, std::move(text)));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run_statement(const FilterBlock& block, SourceOffset offset) {
  TRY(const std::shared_ptr<Scope> scope, inner_scope(block.hidden));
  TRY(Captured captured, capture(block.body, scope));
  if (captured.flow != Flow::kNext) return captured.flow;
  TRY(const Value text, filter_text(block.filter, std::move(captured.text), scope));
  runtime_.set_place(offset);
  if (text.as_text() == nullptr) return runtime_.fail("a filter block's filter must give text");
  TRY_STATUS(append_str(runtime_, *out_, text));
  TRY_STATUS(out_->check());
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run_statement(const If& branches, SourceOffset) {
  for (const auto& [condition, body] : branches.branches) {
    TRY(const Value value, evaluate(*condition));
    if (value.is_true()) return execute(body);
  }
  return execute(branches.otherwise);
}

Result<Interpreter::Flow> Interpreter::run_pass(const For& loop, const Value& state) {
  TRY(std::shared_ptr<Scope> scope, inner_scope(loop.hidden));
  const Exchange in_scope(scope_, std::move(scope));
  scope_->names["loop"] = state;
  TRY_STATUS(assign(loop.target, state.as_loop()->current()));
  return execute(loop.body);
}

Result<Interpreter::Flow> Interpreter::run_statement(const For& loop, SourceOffset offset) {
  TRY(const Value source, evaluate(*loop.items));
  runtime_.set_place(offset);
  TRY(std::shared_ptr<Iterator> items, iterate(runtime_, source));
  TRY(std::optional<int64_t> size, length_of(runtime_, source));
  if (loop.condition != nullptr) {
    items = std::make_shared<ConditionalItems>(*this, loop, std::move(items));
    size.reset();
  }
  TRY(MemoryCharge held, runtime_.charge(sizeof(LoopState) + kCapturedScopeBytes));
  const auto state = std::make_shared<LoopState>(std::move(items), size, std::move(held));
  TRY_STATUS(runtime_.check_nesting(state->nesting()));
  const Value state_value(state);
  const EndOfLoop end_of_loop(*state);
  // As in Jinja2, whose `else` runs unless a pass came to its end: not so with 'break' and 'continue'.
  bool has_completed_pass = false;
  for (;;) {
    runtime_.set_place(offset);
    TRY_STATUS(runtime_.spend());
    TRY(const bool has_item, state->advance(runtime_));
    if (!has_item) break;
    TRY(const Flow flow, run_pass(loop, state_value));
    if (flow == Flow::kBreak) break;
    has_completed_pass = has_completed_pass || flow == Flow::kNext;
  }
  if (has_completed_pass || loop.otherwise.empty()) return Flow::kNext;
  TRY(std::shared_ptr<Scope> scope, inner_scope(loop.hidden_otherwise));
  const Exchange in_scope(scope_, std::move(scope));
  return execute(loop.otherwise);
}

Result<Value> Interpreter::define(const std::shared_ptr<MacroDefinition>& macro) {
  TRY(MemoryCharge held, runtime_.charge(kCapturedScopeBytes + scope_->names.size() * kScopeNameBytes));
  captured_scopes_.emplace_back(scope_, std::move(held));
  return Value(std::static_pointer_cast<const Callable>(std::make_shared<const Macro>(*this, macro, scope_)));
}

Result<Interpreter::Flow> Interpreter::run_statement(const std::shared_ptr<MacroDefinition>& macro,
                                                     SourceOffset offset) {
  runtime_.set_place(offset);
  TRY(Value value, define(macro));
  scope_->names[macro->name] = std::move(value);
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run_statement(const CallBlock& block, SourceOffset offset) {
  const auto& node = std::get<Call>(block.call->node);
  TRY(const Value callee, evaluate(*node.callee));
  TRY(CallArguments arguments, evaluate_arguments(node.arguments));
  runtime_.set_place(offset);
  TRY(Value caller, define(block.caller));
  arguments.named.push_back({Value::text("caller"), std::move(caller)});
  TRY(const Value text, call(callee, std::move(arguments)));
  TRY_STATUS(append_str(runtime_, *out_, text));
  TRY_STATUS(out_->check());
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run_statement(const With& with, SourceOffset offset) {
  TRY(const std::shared_ptr<Scope> scope, inner_scope(with.hidden));
  std::vector<Value> values;
  for (const auto& [target, expression] : with.assignments) {
    TRY(Value value, evaluate(*expression));
    values.push_back(std::move(value));
  }
  runtime_.set_place(offset);
  const Exchange in_scope(scope_, scope);
  for (size_t i = 0; i < values.size(); ++i)
    TRY_STATUS(assign(with.assignments[i].first, std::move(values[i])));
  return execute(with.body);
}

}  // namespace llama_gpu::text::jinja
