// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/value.h"

#include <algorithm>

#include "text/jinja/loop_state.h"

namespace llama_gpu::text::jinja {
namespace {

struct Truth {
  bool operator()(const Undefined&) const { return false; }
  bool operator()(const None&) const { return false; }
  bool operator()(bool value) const { return value; }
  bool operator()(int64_t value) const { return value != 0; }
  bool operator()(double value) const { return value != 0; }
  bool operator()(const std::shared_ptr<const StringObject>& string) const { return !string->text.empty(); }
  bool operator()(const std::shared_ptr<const Sequence>& sequence) const { return !sequence->items.empty(); }
  bool operator()(const std::shared_ptr<const Dict>& dict) const { return dict->size() != 0; }
  bool operator()(const std::shared_ptr<const Range>& range) const { return range->size != 0; }
  template <typename T>
  bool operator()(const std::shared_ptr<T>&) const {
    return true;
  }
};

struct TypeName {
  std::string_view operator()(const Undefined&) const { return "Undefined"; }
  std::string_view operator()(const None&) const { return "None"; }
  std::string_view operator()(bool) const { return "bool"; }
  std::string_view operator()(int64_t) const { return "int"; }
  std::string_view operator()(double) const { return "float"; }
  std::string_view operator()(const std::shared_ptr<const StringObject>&) const { return "str"; }
  std::string_view operator()(const std::shared_ptr<const Sequence>& sequence) const {
    switch (sequence->kind) {
      case Sequence::Kind::kList:
        return "list";
      case Sequence::Kind::kTuple:
        return "tuple";
      case Sequence::Kind::kDictItems:
        return "dict_items";
      case Sequence::Kind::kDictKeys:
        return "dict_keys";
      case Sequence::Kind::kDictValues:
        return "dict_values";
    }
    return "list";
  }
  std::string_view operator()(const std::shared_ptr<const Dict>&) const { return "dict"; }
  std::string_view operator()(const std::shared_ptr<const Range>&) const { return "range"; }
  std::string_view operator()(const std::shared_ptr<Namespace>&) const { return "Namespace"; }
  std::string_view operator()(const std::shared_ptr<Iterator>&) const { return "generator"; }
  std::string_view operator()(const std::shared_ptr<const Callable>&) const { return "function"; }
  std::string_view operator()(const std::shared_ptr<LoopState>&) const { return "LoopContext"; }
};

struct Nesting {
  uint32_t operator()(const std::shared_ptr<const Sequence>& sequence) const { return sequence->nesting; }
  uint32_t operator()(const std::shared_ptr<const Dict>& dict) const { return dict->nesting(); }
  uint32_t operator()(const std::shared_ptr<Iterator>& iterator) const { return iterator->nesting(); }
  uint32_t operator()(const std::shared_ptr<const Callable>& callable) const { return callable->nesting(); }
  uint32_t operator()(const std::shared_ptr<LoopState>& loop) const { return loop->nesting(); }
  template <typename T>
  uint32_t operator()(const T&) const {
    return 0;
  }
};

}  // namespace

Value Value::undefined(std::string reason, MemoryCharge charge) {
  Value value;
  value.data_ = Undefined{
      std::make_shared<const Undefined::Reason>(Undefined::Reason{std::move(reason), std::move(charge)})};
  return value;
}

Value Value::text(std::string bytes, Origin origin) {
  return std::make_shared<const StringObject>(StringObject{TaggedText(std::move(bytes), origin), {}});
}

const TaggedText* Value::as_text() const {
  const auto* string = shared<const StringObject>();
  return string == nullptr ? nullptr : &string->text;
}

bool Value::is_markup() const {
  const auto* string = shared<const StringObject>();
  return string != nullptr && string->is_markup;
}

std::optional<int64_t> Value::as_int() const {
  if (const auto* number = std::get_if<int64_t>(&data_)) return *number;
  if (const auto* truth = std::get_if<bool>(&data_)) return *truth ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::as_number() const {
  if (const auto* number = std::get_if<double>(&data_)) return *number;
  const auto integer = as_int();
  return integer ? std::optional<double>(static_cast<double>(*integer)) : std::nullopt;
}

bool Value::is_true() const { return std::visit(Truth{}, data_); }
std::string_view Value::type_name() const { return std::visit(TypeName{}, data_); }
uint32_t Value::nesting() const { return std::visit(Nesting{}, data_); }

bool can_be_key(const Value& value) {
  if (const Sequence* sequence = value.as_sequence()) return sequence->can_be_key;
  return value.as_text() != nullptr || value.as_number() || value.is_none() || value.is_undefined();
}

bool is_hashable(const Value& value) {
  const Sequence* sequence = value.as_sequence();
  if (sequence == nullptr) return value.as_dict() == nullptr;
  return sequence->kind == Sequence::Kind::kDictValues || sequence->can_be_key;
}

}  // namespace llama_gpu::text::jinja
