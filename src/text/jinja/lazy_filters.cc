// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "text/jinja/attributes.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/text_operations.h"

// Filters that give an iterator: each item is computed when it is asked for, so a template may stop early,
// and a second walk over the same value finds nothing left.

namespace llama_gpu::text::jinja {
namespace {

uint32_t nesting_of(const CallArguments& arguments) {
  uint32_t nesting = 0;
  for (const Value& value : arguments.positional) nesting = std::max(nesting, value.nesting());
  for (const auto& [name, value] : arguments.named) nesting = std::max(nesting, value.nesting());
  return nesting;
}

// Goes through the items of a value that need not have any: nothing happens before the first next().
class LazyIterator : public Iterator {
 public:
  // `arguments_nesting`: of what the subclass holds.
  LazyIterator(Value source, bool skips_false, uint32_t arguments_nesting)
      : source_(std::move(source)),
        skips_false_(skips_false),
        nesting_(std::max(source_.nesting(), arguments_nesting) + 1) {}

  Result<std::optional<Value>> next(Runtime& runtime) final {
    const Runtime::Level level(runtime);
    TRY_STATUS(runtime.check_depth());
    if (is_over_) return std::optional<Value>();
    if (items_ == nullptr) {
      if (skips_false_ && !source_.is_true()) return end();
      TRY_STATUS(start(runtime));
      TRY(items_, iterate(runtime, source_));
    }
    for (;;) {
      TRY_STATUS(runtime.spend());
      TRY(std::optional<Value> item, items_->next(runtime));
      if (!item) return end();
      TRY(item, transform(runtime, *item));
      if (item) return item;
    }
  }
  uint32_t nesting() const final { return nesting_; }

 protected:
  // Checks what was given to the filter.
  virtual Status start(Runtime&) { return {}; }
  // What the filter makes of an item; nullopt leaves it out.
  virtual Result<std::optional<Value>> transform(Runtime& runtime, const Value& item) = 0;

 private:
  std::optional<Value> end() {
    is_over_ = true;
    return std::nullopt;
  }

  Value source_;
  bool skips_false_;
  uint32_t nesting_;
  bool is_over_ = false;
  std::shared_ptr<Iterator> items_;
};

// A filter or test by the name it is given to another filter, with the arguments behind the name.
struct NamedCall {
  const Builtin* function = nullptr;
  CallArguments arguments;

  Result<Value> apply(Runtime& runtime, const Value& item) const {
    TRY_STATUS(runtime.spend(static_cast<int64_t>(arguments.size())));
    CallArguments call = arguments;
    call.positional.insert(call.positional.begin(), item);
    return call_builtin(runtime, *function, std::move(call));
  }
};

// Reads the name from `arguments`, at `place`, and takes what follows.
Result<NamedCall> named_call(Runtime& runtime, const CallArguments& arguments, size_t place,
                             const Builtin* (*find)(std::string_view)) {
  const TaggedText* name = arguments.positional[place].as_text();
  NamedCall call;
  call.function = name == nullptr ? nullptr : find(name->bytes());
  if (call.function == nullptr) return runtime.fail("there is no filter or test of the name that is given");
  call.arguments = arguments;
  auto& positional = call.arguments.positional;
  positional.erase(positional.begin(), positional.begin() + static_cast<ptrdiff_t>(place) + 1);
  return call;
}

class MapIterator final : public LazyIterator {
 public:
  MapIterator(Value source, CallArguments arguments)
      : LazyIterator(std::move(source), /*skips_false=*/true, nesting_of(arguments)),
        arguments_(std::move(arguments)) {}

 private:
  Status start(Runtime& runtime) override {
    if (!arguments_.positional.empty()) {
      TRY(filter_, named_call(runtime, arguments_, 0, find_filter));
      return {};
    }
    for (const auto& [name, value] : arguments_.named) {
      const std::string_view parameter = name.as_text()->bytes();
      if (parameter == "attribute") {
        attribute_ = value;
      } else if (parameter == "default") {
        default_ = value;
      } else {
        return runtime.fail("'map' takes no argument " + show_name(parameter));
      }
    }
    return attribute_ ? Status() : Status(runtime.fail("'map' needs the name of a filter, or an attribute"));
  }

  Result<std::optional<Value>> transform(Runtime& runtime, const Value& item) override {
    TRY(Value value,
        attribute_ ? get_path(runtime, item, *attribute_, default_) : filter_.apply(runtime, item));
    return std::optional(std::move(value));
  }

  CallArguments arguments_;
  NamedCall filter_;
  std::optional<Value> attribute_;
  Value default_ = Value(None{});
};

// select, reject, selectattr and rejectattr.
struct Selection {
  bool by_attribute, keeps;
};

class SelectIterator final : public LazyIterator {
 public:
  SelectIterator(Value source, CallArguments arguments, Selection selection)
      : LazyIterator(std::move(source), /*skips_false=*/true, nesting_of(arguments)),
        arguments_(std::move(arguments)),
        selection_(selection) {}

 private:
  Status start(Runtime& runtime) override {
    const size_t place = selection_.by_attribute ? 1 : 0;
    if (arguments_.positional.size() < place) return runtime.fail("the name of an attribute is missing");
    if (arguments_.positional.size() == place) return {};
    TRY(test_, named_call(runtime, arguments_, place, find_test));
    return {};
  }

  Result<std::optional<Value>> transform(Runtime& runtime, const Value& item) override {
    Value looked_at = item;
    if (selection_.by_attribute) {
      TRY(looked_at, get_path(runtime, item, arguments_.positional[0]));
    }
    if (test_.function != nullptr) {
      TRY(looked_at, test_.apply(runtime, looked_at));
    }
    return looked_at.is_true() == selection_.keeps ? std::optional(item) : std::nullopt;
  }

  CallArguments arguments_;
  Selection selection_;
  NamedCall test_;
};

class UniqueIterator final : public LazyIterator {
 public:
  UniqueIterator(Value source, bool is_case_sensitive, Value attribute)
      : LazyIterator(std::move(source), /*skips_false=*/false, attribute.nesting()),
        is_case_sensitive_(is_case_sensitive),
        attribute_(std::move(attribute)) {}

 private:
  Result<std::optional<Value>> transform(Runtime& runtime, const Value& item) override {
    TRY(Value key, get_path(runtime, item, attribute_));
    TRY(key, fold_case(runtime, key, is_case_sensitive_));
    if (!can_be_key(key))
      return runtime.fail("'unique' cannot compare values of type '" + std::string(key.type_name()) + "'");
    const size_t num_before = seen_.size();
    TRY([[maybe_unused]] const bool is_key, seen_.insert(runtime, std::move(key), Value()));
    return seen_.size() != num_before ? std::optional(item) : std::nullopt;
  }

  bool is_case_sensitive_;
  Value attribute_;
  Dict seen_;  // the keys of the items so far
};

class ItemsIterator final : public LazyIterator {
 public:
  explicit ItemsIterator(Value dict) : LazyIterator(dict, /*skips_false=*/false, 0), dict_(std::move(dict)) {}

 private:
  Status start(Runtime& runtime) override {
    if (dict_.as_dict() != nullptr || dict_.is_undefined()) return {};
    return runtime.fail("only a dict has items, not a '" + std::string(dict_.type_name()) + "'");
  }
  Result<std::optional<Value>> transform(Runtime& runtime, const Value& key) override {
    TRY(const Value* value, dict_.as_dict()->find(runtime, key));
    TRY(Value pair, runtime.make_sequence({key, *value}, Sequence::Kind::kTuple));
    return std::optional(std::move(pair));
  }

  Value dict_;
};

// `iterator`, which keeps the arguments of the filter twice.
Result<Value> make_lazy(Runtime& runtime, std::shared_ptr<Iterator> iterator, const CallArguments& kept) {
  TRY_STATUS(runtime.spend(static_cast<int64_t>(kept.size())));
  TRY_STATUS(runtime.grow(iterator->charge, 2 * kept.size() * sizeof(NamedArgument)));
  return runtime.make_iterator(std::move(iterator));
}

Result<Value> map_filter(Runtime& runtime, const BoundArguments& arguments) {
  const CallArguments& rest = arguments.rest_arguments();
  return make_lazy(runtime, std::make_shared<MapIterator>(arguments.at(0), rest), rest);
}

template <bool kByAttribute, bool kKeeps>
Result<Value> select_filter(Runtime& runtime, const BoundArguments& arguments) {
  const CallArguments& rest = arguments.rest_arguments();
  return make_lazy(runtime,
                   std::make_shared<SelectIterator>(arguments.at(0), rest, Selection{kByAttribute, kKeeps}),
                   rest);
}

Result<Value> unique_filter(Runtime& runtime, const BoundArguments& arguments) {
  return runtime.make_iterator(std::make_shared<UniqueIterator>(
      arguments.at(0), bool_argument(arguments, 1), arguments.has(2) ? arguments.at(2) : Value(None{})));
}

Result<Value> items_filter(Runtime& runtime, const BoundArguments& arguments) {
  return runtime.make_iterator(std::make_shared<ItemsIterator>(arguments.at(0)));
}

constexpr std::array kLazyFilters = {
    Builtin{"items", "value", items_filter},
    Builtin{"map", "value **", map_filter},
    Builtin{"reject", "value **", select_filter<false, false>},
    Builtin{"rejectattr", "value **", select_filter<true, false>},
    Builtin{"select", "value **", select_filter<false, true>},
    Builtin{"selectattr", "value **", select_filter<true, true>},
    Builtin{"unique", "value case_sensitive? attribute?", unique_filter},
};

}  // namespace

std::span<const Builtin> lazy_filters() { return kLazyFilters; }

}  // namespace llama_gpu::text::jinja
