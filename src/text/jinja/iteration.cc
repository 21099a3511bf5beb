// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/iteration.h"

#include <string>

#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

class SequenceIterator final : public Iterator {
 public:
  explicit SequenceIterator(std::shared_ptr<const Sequence> sequence) : sequence_(std::move(sequence)) {}
  Result<std::optional<Value>> next(Runtime& runtime) override {
    TRY_STATUS(runtime.spend());
    if (place_ == sequence_->items.size()) return std::optional<Value>();
    return std::optional(sequence_->items[place_++]);
  }
  uint32_t nesting() const override { return sequence_->nesting + 1; }

 private:
  std::shared_ptr<const Sequence> sequence_;
  size_t place_ = 0;
};

class KeyIterator final : public Iterator {
 public:
  explicit KeyIterator(std::shared_ptr<const Dict> dict) : dict_(std::move(dict)) {}
  Result<std::optional<Value>> next(Runtime& runtime) override {
    TRY_STATUS(runtime.spend());
    if (place_ == dict_->size()) return std::optional<Value>();
    return std::optional(dict_->entries()[place_++].key);
  }
  uint32_t nesting() const override { return dict_->nesting() + 1; }

 private:
  std::shared_ptr<const Dict> dict_;
  size_t place_ = 0;
};

class CharIterator final : public Iterator {
 public:
  explicit CharIterator(std::shared_ptr<const StringObject> string) : string_(std::move(string)) {}
  Result<std::optional<Value>> next(Runtime& runtime) override {
    const TaggedText& text = string_->text;
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

class RangeIterator final : public Iterator {
 public:
  explicit RangeIterator(std::shared_ptr<const Range> range) : range_(std::move(range)) {}
  Result<std::optional<Value>> next(Runtime& runtime) override {
    TRY_STATUS(runtime.spend());
    if (place_ == range_->size) return std::optional<Value>();
    return std::optional(Value(range_->at(place_++)));
  }

 private:
  std::shared_ptr<const Range> range_;
  int64_t place_ = 0;
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
    return std::make_shared<SequenceIterator>(sequence);
  }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<const Dict>& dict) const {
    return std::make_shared<KeyIterator>(dict);
  }
  std::shared_ptr<Iterator> operator()(const std::shared_ptr<const Range>& range) const {
    return std::make_shared<RangeIterator>(range);
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

std::optional<int64_t> length_of(const Value& value) {
  if (const TaggedText* text = value.as_text()) return static_cast<int64_t>(count_chars(text->bytes()));
  if (const Sequence* sequence = value.as_sequence()) return static_cast<int64_t>(sequence->items.size());
  if (const Dict* dict = value.as_dict()) return static_cast<int64_t>(dict->size());
  if (const Range* range = value.as_range()) return range->size;
  return value.is_undefined() ? std::optional<int64_t>(0) : std::nullopt;
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
