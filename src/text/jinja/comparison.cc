// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/comparison.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "text/jinja/iteration.h"
#include "text/jinja/text_search.h"

namespace llama_gpu::text::jinja {
namespace {

Result<bool> equal_items(Runtime& runtime, const std::vector<Value>& left, const std::vector<Value>& right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    TRY(const bool is_same, equal(runtime, left[i], right[i]));
    if (!is_same) return false;
  }
  return true;
}

Result<bool> equal_dicts(Runtime& runtime, const Dict& left, const Dict& right) {
  if (left.size() != right.size()) return false;
  for (const auto& entry : left.entries()) {
    TRY(const Value* other, right.find(runtime, entry.key));
    if (other == nullptr) return false;
    TRY(const bool is_same, equal(runtime, entry.value, *other));
    if (!is_same) return false;
  }
  return true;
}

bool equal_ranges(const Range& left, const Range& right) {
  if (left.size != right.size) return false;
  if (left.size == 0) return true;
  return left.start == right.start && (left.size == 1 || left.step == right.step);
}

struct SameObject {
  template <typename T>
  bool operator()(const std::shared_ptr<T>& left, const std::shared_ptr<T>& right) const {
    return left == right;
  }
  template <typename A, typename B>
  bool operator()(const A&, const B&) const {
    return false;
  }
};

// -1, 0, 1; nullopt where one of them is not a number (and for NaN).
std::optional<int> compare_numbers(const Value& left, const Value& right) {
  const auto a = left.as_int(), b = right.as_int();
  if (a && b) return *a < *b ? -1 : *a > *b ? 1 : 0;
  const auto x = left.as_number(), y = right.as_number();
  if (!x || !y || *x != *x || *y != *y) return std::nullopt;
  return *x < *y ? -1 : *x > *y ? 1 : 0;
}

bool are_comparable_sequences(const Sequence* left, const Sequence* right) {
  return left != nullptr && right != nullptr && left->kind == right->kind && !left->is_view();
}

Result<bool> less_items(Runtime& runtime, const Sequence& left, const Sequence& right) {
  for (size_t i = 0; i < left.items.size() && i < right.items.size(); ++i) {
    TRY(const bool is_same, equal(runtime, left.items[i], right.items[i]));
    if (!is_same) return less(runtime, left.items[i], right.items[i]);
  }
  return left.items.size() < right.items.size();
}

Error not_ordered(Runtime& runtime, const Value& left, const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (const auto* undefined = std::get_if<Undefined>(&side->data());
        undefined != nullptr && undefined->reason) {
      return runtime.fail(undefined->reason->text);
    }
  }
  return runtime.fail("values of type '" + std::string(left.type_name()) + "' and '" +
                      std::string(right.type_name()) + "' have no order");
}

// Merges the sorted ranges [begin, middle) and [middle, end) of `order`.
class MergeSort {
 public:
  MergeSort(Runtime& runtime, const std::vector<Value>& keys, bool reverse)
      : runtime_(runtime), keys_(keys), reverse_(reverse), order_(keys.size()), merged_(keys.size()) {
    std::iota(order_.begin(), order_.end(), size_t{0});
  }

  Result<std::vector<size_t>> run() {
    for (size_t width = 1; width < order_.size(); width *= 2) {
      for (size_t begin = 0; begin < order_.size(); begin += 2 * width) TRY_STATUS(merge(begin, width));
      order_.swap(merged_);
    }
    return std::move(order_);
  }

 private:
  // Not std::stable_sort: an order of the template's values may fail, or contradict itself.
  Status merge(size_t begin, size_t width) {
    const size_t middle = std::min(begin + width, order_.size()),
                 end = std::min(begin + 2 * width, order_.size());
    size_t left = begin, right = middle;
    for (size_t out = begin; out < end; ++out) {
      bool takes_right = left == middle;
      if (left < middle && right < end) {
        const Value &a = keys_[order_[left]], &b = keys_[order_[right]];
        TRY(takes_right, reverse_ ? less(runtime_, a, b) : less(runtime_, b, a));
      }
      merged_[out] = order_[takes_right ? right++ : left++];
    }
    return {};
  }

  Runtime& runtime_;
  const std::vector<Value>& keys_;
  bool reverse_;
  std::vector<size_t> order_, merged_;
};

Result<bool> contains_item(Runtime& runtime, const Value& container, const Value& item) {
  TRY(std::shared_ptr<Iterator> items, iterate(runtime, container));
  for (;;) {
    TRY(std::optional<Value> next, items->next(runtime));
    if (!next) return false;
    TRY(const bool is_same, equal(runtime, *next, item));
    if (is_same) return true;
  }
}

}  // namespace

Result<bool> equal_bytes(Runtime& runtime, std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  TRY_STATUS(runtime.spend_bytes(left.size()));
  return left == right;
}

Result<bool> less_bytes(Runtime& runtime, std::string_view left, std::string_view right) {
  TRY_STATUS(runtime.spend_bytes(std::min(left.size(), right.size())));
  return left < right;  // UTF-8 sorts like its code points
}

Result<bool> equal(Runtime& runtime, const Value& left, const Value& right) {
  const Runtime::Level level(runtime);
  TRY_STATUS(runtime.check_depth());
  TRY_STATUS(runtime.spend());
  if (left.as_number() && right.as_number()) return compare_numbers(left, right) == 0;
  if (const TaggedText *a = left.as_text(), *b = right.as_text(); a != nullptr && b != nullptr) {
    return equal_bytes(runtime, a->bytes(), b->bytes());
  }
  if (left.is_none() || left.is_undefined()) return left.data().index() == right.data().index();
  const Sequence *a = left.as_sequence(), *b = right.as_sequence();
  if (are_comparable_sequences(a, b)) return equal_items(runtime, a->items, b->items);
  if (left.as_dict() != nullptr && right.as_dict() != nullptr) {
    return equal_dicts(runtime, *left.as_dict(), *right.as_dict());
  }
  if (left.as_range() != nullptr && right.as_range() != nullptr) {
    return equal_ranges(*left.as_range(), *right.as_range());
  }
  return are_one_object(left, right);
}

bool are_one_object(const Value& left, const Value& right) {
  return std::visit(SameObject{}, left.data(), right.data());
}

Result<bool> less(Runtime& runtime, const Value& left, const Value& right) {
  const Runtime::Level level(runtime);
  TRY_STATUS(runtime.check_depth());
  TRY_STATUS(runtime.spend());
  if (left.as_number() && right.as_number()) return compare_numbers(left, right) == -1;
  if (const TaggedText *a = left.as_text(), *b = right.as_text(); a != nullptr && b != nullptr) {
    return less_bytes(runtime, a->bytes(), b->bytes());
  }
  if (are_comparable_sequences(left.as_sequence(), right.as_sequence())) {
    return less_items(runtime, *left.as_sequence(), *right.as_sequence());
  }
  return not_ordered(runtime, left, right);
}

Result<bool> contains(Runtime& runtime, const Value& container, const Value& item) {
  TRY_STATUS(runtime.spend());
  if (const TaggedText* text = container.as_text()) {
    const TaggedText* part = item.as_text();
    if (part == nullptr)
      return runtime.fail("only text is searched for in text, not " + std::string(item.type_name()));
    TRY(const size_t place, find_first(runtime, text->bytes(), part->bytes()));
    return place != std::string_view::npos;
  }
  if (const Dict* dict = container.as_dict()) {
    if (!is_hashable(item))
      return runtime.fail("a value of type '" + std::string(item.type_name()) + "' is no key");
    TRY(const Value* found, dict->find(runtime, item));
    return found != nullptr;
  }
  return contains_item(runtime, container, item);
}

Result<std::vector<size_t>> sorted_order(Runtime& runtime, const std::vector<Value>& keys, bool reverse) {
  TRY_STATUS(runtime.spend(static_cast<int64_t>(keys.size())));
  return MergeSort(runtime, keys, reverse).run();
}

}  // namespace llama_gpu::text::jinja
