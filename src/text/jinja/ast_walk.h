// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <variant>

#include "text/jinja/ast.h"

namespace llama_gpu::text::jinja {

// Gives each expression directly below one to `visit`; parts that were left out are passed over.
template <typename Visit>
class ChildExpressions {
 public:
  explicit ChildExpressions(Visit& visit) : visit_(visit) {}

  void operator()(const Literal&) const {}
  void operator()(const NameLookup&) const {}
  void operator()(const SequenceLiteral& node) const { each(node.items); }
  void operator()(const DictLiteral& node) const {
    for (const auto& [key, value] : node.entries) one(key), one(value);
  }
  void operator()(const AttributeAccess& node) const { one(node.object); }
  void operator()(const ItemAccess& node) const { one(node.object), one(node.key); }
  void operator()(const SliceAccess& node) const {
    one(node.object), one(node.start), one(node.stop), one(node.step);
  }
  void operator()(const Call& node) const { one(node.callee), arguments(node.arguments); }
  void operator()(const FilterUse& node) const { one(node.subject), arguments(node.arguments); }
  void operator()(const TestUse& node) const { one(node.subject), arguments(node.arguments); }
  void operator()(const Unary& node) const { one(node.operand); }
  void operator()(const Binary& node) const { one(node.left), one(node.right); }
  void operator()(const Logical& node) const { one(node.left), one(node.right); }
  void operator()(const Comparison& node) const {
    one(node.first);
    for (const auto& [op, operand] : node.rest) one(operand);
  }
  void operator()(const Concatenation& node) const { each(node.parts); }
  void operator()(const Conditional& node) const { one(node.then), one(node.condition), one(node.otherwise); }

 private:
  void one(const ExpressionPtr& expression) const {
    if (expression != nullptr) visit_(*expression);
  }
  void each(const Expressions& expressions) const {
    for (const auto& expression : expressions) one(expression);
  }
  void arguments(const ArgumentList& list) const {
    each(list.positional);
    for (const auto& [name, value] : list.named) one(value);
    one(list.unpacked);
    one(list.unpacked_named);
  }

  Visit& visit_;
};

// Calls visit(const Expression&) for each direct part.
template <typename Visit>
void for_each_child(const Expression& expression, Visit visit) {
  std::visit(ChildExpressions<Visit>(visit), expression.node);
}

}  // namespace llama_gpu::text::jinja
