// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/value.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "text/jinja/loop_state.h"

namespace llama_gpu::text::jinja {
namespace {

// A tuple that holds one tuple many times, over many levels, has an identity that no memory holds.
constexpr size_t kMaxIdentityBytes = size_t{1} << 20;

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

std::string number_identity(double number) {
  if (number == std::floor(number) && std::abs(number) < 0x1p63)
    return "i" + std::to_string(static_cast<int64_t>(number));
  return "f" + std::to_string(std::bit_cast<uint64_t>(number));
}

std::optional<std::string> tuple_identity(const Sequence& tuple) {
  if (tuple.kind != Sequence::Kind::kTuple) return std::nullopt;
  std::string identity = "(";
  for (const Value& item : tuple.items) {
    const auto part = key_identity(item);
    if (!part || identity.size() + part->size() > kMaxIdentityBytes) return std::nullopt;
    identity += std::to_string(part->size()) + ":" + *part;
  }
  return identity;
}

}  // namespace

Value Value::undefined(std::string reason) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(reason))};
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

std::optional<std::string> key_identity(const Value& key) {
  if (const TaggedText* text = key.as_text()) return "s" + std::string(text->bytes());
  if (const auto integer = key.as_int()) return "i" + std::to_string(*integer);
  if (const auto number = key.as_number()) return number_identity(*number);
  if (key.is_none()) return "n";
  if (key.is_undefined()) return "u";
  if (const Sequence* sequence = key.as_sequence()) return tuple_identity(*sequence);
  return std::nullopt;
}

bool is_hashable(const Value& value) {
  const Sequence* sequence = value.as_sequence();
  if (sequence == nullptr) return value.as_dict() == nullptr;
  if (sequence->kind == Sequence::Kind::kDictValues) return true;
  return sequence->kind == Sequence::Kind::kTuple && key_identity(value);
}

const Value* Dict::find(const Value& key) const {
  const auto identity = key_identity(key);
  if (!identity) return nullptr;
  const auto found = index_.find(*identity);
  return found == index_.end() ? nullptr : &entries_[found->second].value;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = index_.find("s" + std::string(key));
  return found == index_.end() ? nullptr : &entries_[found->second].value;
}

bool Dict::insert(Value key, Value value) {
  auto identity = key_identity(key);
  if (!identity) return false;
  nesting_ = std::max({nesting_, key.nesting() + 1, value.nesting() + 1});
  const auto [place, is_new] = index_.try_emplace(std::move(*identity), entries_.size());
  if (is_new) {
    entries_.push_back({std::move(key), std::move(value)});
  } else {
    entries_[place->second].value = std::move(value);
  }
  return true;
}

}  // namespace llama_gpu::text::jinja
