// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/iteration.h"

#include <string>

#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

size_t size_of(const Sequence& sequence) { return sequence.items.size(); }
size_t size_of(const Dict& dict) { return dict.size(); }
size_t size_of(const Range& range) { return static_cast<size_t>(range.size); }

Value item_at(const Sequence& sequence, size_t place) { return sequence.items[place]; }
Value item_at(const Dict& dict, size_t place) { return dict.entries()[place].key; }
Value item_at(const Range& range, size_t place) { return range.at(static_cast<int64_t>(place)); }

// Goes through what finds its items by their place.
template <typename Items>
class PlaceIterator final : public Iterator {
 public:
  explicit PlaceIterator(std::shared_ptr<const Items> items) : items_(std::move(items)) {}
  Result<std::optional<Value>> next(Runtime& runtime) override {
    TRY_STATUS(runtime.spend());
    if (place_ == size_of(*items_)) return std::optional<Value>();
    return std::optional(item_at(*items_, place_++));
  }
  uint32_t nesting() const override { return Value(items_).nesting() + 1; }

 private:
  std::shared_ptr<const Items> items_;
  size_t place_ = 0;
};

class CharIterator final : public Iterator {
 public:
  explicit CharIterator(std::shared_ptr<const StringObject> string) : string_(std::move(string)) {}
  Result<std::optional<Value>> next(Runtime& runtime) override {
    const TaggedText& text = string_->text;
    TRY_STATUS(runtime.spend());
    if (pos_ == text.size()) return std::optional<Value>();
    const size_t begin = pos_;
    pos_ += char_size(text.bytes(), pos_);
    TRY(Value character, runtime.make_text(text.slice(begin, pos_)));
    return std::optional(std::move(character));
  }

 private:
  std::shared_ptr<const StringObject> string_;
  size_t pos_ = 0;
};

class EmptyIterator final : public Iterator {
 public:
  Result<std::optional<Value>> next(Runtime&) override { return std::optional<Value>(); }
};

// The iterator over each type; null where there is none.
struct IteratorVisitor {
  std::shared_ptr<Iterator> operator()(const Undefined&) const { return std::make_shared<EmptyIterator>(); }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<const StringObject>& string) const {
    return std::make_shared<CharIterator>(string);
  }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<const Sequence>& sequence) const {
    return std::make_shared<PlaceIterator<Sequence>>(sequence);
  }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<const Dict>& dict) const {
    return std::make_shared<PlaceIterator<Dict>>(dict);
  }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<const Range>& range) const {
    return std::make_shared<PlaceIterator<Range>>(range);
  }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<Iterator>& iterator) const { return iterator; }
  template <typename T>
  std::shared_ptr<Iterator> operator()(const T&) const {
    return nullptr;
  }
};

}  // namespace

Result<std::shared_ptr<Iterator>> iterate(Runtime& runtime, const Value& value) {
  auto iterator = std::visit(IteratorVisitor{}, value.data());
  if (iterator != nullptr) return iterator;
  return runtime.fail("a value of type '" + std::string(value.type_name()) + "' has no items to go through");
}

bool is_iterable(const Value& value) { return std::visit(IteratorVisitor{}, value.data()) != nullptr; }

Result<std::optional<int64_t>> length_of(Runtime& runtime, const Value& value) {
  if (const TaggedText* text = value.as_text()) {
    TRY_STATUS(runtime.spend_bytes(text->size()));
    return std::optional(static_cast<int64_t>(count_chars(text->bytes())));
  }
  if (const Sequence* sequence = value.as_sequence()) return std::optional(std::ssize(sequence->items));
  if (const Dict* dict = value.as_dict()) return std::optional(static_cast<int64_t>(dict->size()));
  if (const Range* range = value.as_range()) return std::optional(range->size);
  return value.is_undefined() ? std::optional<int64_t>(0) : std::nullopt;
}

bool has_length(const Value& value) {
  return value.as_text() != nullptr || value.as_sequence() != nullptr || value.as_dict() != nullptr ||
         value.as_range() != nullptr || value.is_undefined();
}

Result<std::vector<Value>> collect(Runtime& runtime, const Value& value) {
  TRY(std::shared_ptr<Iterator> items, iterate(runtime, value));
  std::vector<Value> collected;
  for (;;) {
    TRY(std::optional<Value> item, items->next(runtime));
    if (!item) return collected;
    TRY_STATUS(runtime.spend());
    collected.push_back(std::move(*item));
  }
}

Result<std::vector<Value>> dict_items(Runtime& runtime, const Dict& dict) {
  std::vector<Value> items;
  for (const auto& entry : dict.entries()) {
    TRY(Value pair, runtime.make_sequence({entry.key, entry.value}, Sequence::Kind::kTuple));
    items.push_back(std::move(pair));
  }
  return items;
}

}  // namespace llama_gpu::text::jinja
