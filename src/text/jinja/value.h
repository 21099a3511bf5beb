// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "text/jinja/memory_meter.h"
#include "text/jinja/tagged_text.h"

namespace llama_gpu::text::jinja {

class Runtime;
class Value;
class Dict;
// The shared part of a string value.
struct StringObject;
struct Sequence;
struct Range;
struct Namespace;
class Iterator;
class Callable;
class LoopState;

// The value of a name that is not there. It prints as nothing and is empty; any other use is an error that
// says why it is undefined.
struct Undefined {
  struct Reason {
    std::string text;
    MemoryCharge charge;
  };
  std::shared_ptr<const Reason> reason;
};

struct None {};

// One value of a template, with Python's types and rules. Cheap to copy: what is large is shared, and, but
// for namespaces, loops and iterators, never changes.
class Value {
 public:
  using Data =
      std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const StringObject>,
                   std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, std::shared_ptr<const Range>,
                   std::shared_ptr<Namespace>, std::shared_ptr<Iterator>, std::shared_ptr<const Callable>,
                   std::shared_ptr<LoopState>>;

  Value() = default;
  Value(None none) : data_(none) {}
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  template <typename T>
  Value(std::shared_ptr<T> object) : data_(std::move(object)) {}
  // A pointer would become a bool.
  Value(const char*) = delete;
  // Runtime::make_undefined makes those whose memory is counted.
  static Value undefined(std::string reason, MemoryCharge charge = {});
  // Text that no meter counts: constants and what a caller passes in.
  static Value text(std::string bytes, Origin origin = Origin::kTemplate);

  const Data& data() const { return data_; }
  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }

  // The value as one type; null for another type.
  const TaggedText* as_text() const;
  const Sequence* as_sequence() const { return shared<const Sequence>(); }
  const Dict* as_dict() const { return shared<const Dict>(); }
  const Range* as_range() const { return shared<const Range>(); }
  Namespace* as_namespace() const { return shared<Namespace>(); }
  Iterator* as_iterator() const { return shared<Iterator>(); }
  const Callable* as_callable() const { return shared<const Callable>(); }
  LoopState* as_loop() const { return shared<LoopState>(); }
  // Integers and booleans, as Python counts booleans among integers.
  std::optional<int64_t> as_int() const;
  // Any number.
  std::optional<double> as_number() const;
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_markup() const;
  bool is_bool() const { return std::holds_alternative<bool>(data_); }

  // Python's bool(value).
  bool is_true() const;
  // Python's name of the type, for messages.
  std::string_view type_name() const;
  // How deep containers are nested in it: bounds recursion over values, also that of destructors.
  uint32_t nesting() const;

 private:
  template <typename T>
  T* shared() const {
    const auto* held = std::get_if<std::shared_ptr<T>>(&data_);
    return held == nullptr ? nullptr : held->get();
  }

  Data data_;
};

// The shared part of a string value.
struct StringObject {
  TaggedText text;
  MemoryCharge charge;
  bool is_markup = false;  // see markup.h
};

// A list, a tuple, or a dict's view: they differ in how they print and what may be done with them.
struct Sequence {
  enum class Kind : uint8_t { kList, kTuple, kDictItems, kDictKeys, kDictValues };
  Kind kind = Kind::kList;
  std::vector<Value> items;
  MemoryCharge charge = {};
  uint32_t nesting = 1;
  bool can_be_key = false;  // a tuple of nothing but keys

  bool is_view() const { return kind != Kind::kList && kind != Kind::kTuple; }
};

// Python's range.
struct Range {
  int64_t start = 0;
  int64_t stop = 0;
  int64_t step = 1;
  int64_t size = 0;
  int64_t at(int64_t index) const { return start + index * step; }
};

// A dict: keeps the order of insertion, finds keys by Python's equality (1, 1.0 and true are one key). It
// shares its keys with whoever else has them, and reading and comparing them is paid by their length.
class Dict {
 public:
  // One pair, in the order of insertion.
  struct Entry {
    Value key, value;
  };

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  // What a caller passes in, which no meter counts.
  static Dict of(std::vector<std::pair<std::string, Value>> entries);
  // Null when there is no such key, also when `key` cannot be one. Fails when the steps are used up.
  Result<const Value*> find(Runtime& runtime, const Value& key) const;
  Result<const Value*> find(Runtime& runtime, std::string_view key) const;
  // A later value replaces an earlier one in its place. False when `key` cannot be one (lists, dicts). Fails
  // when steps or memory are used up.
  Result<bool> insert(Runtime& runtime, Value key, Value value);

  uint32_t nesting() const { return nesting_; }
  MemoryCharge charge = {};

 private:
  void add(uint64_t hash, Value key, Value value);

  std::vector<Entry> entries_;
  std::unordered_multimap<uint64_t, size_t> index_;  // key_hash() -> place in entries_
  uint32_t nesting_ = 1;
};

// Whether a value may be a key of a dict.
bool can_be_key(const Value& value);
// Whether a value may be looked up in a dict, though it need not be able to be a key of one: all but lists,
// dicts, and tuples that cannot be keys.
bool is_hashable(const Value& value);

// namespace(): the one container that a template may change.
struct Namespace {
  Dict attributes;
};

// Gives values one by one, once.
class Iterator {
 public:
  virtual ~Iterator() = default;
  // nullopt at the end, and again after it.
  virtual Result<std::optional<Value>> next(Runtime& runtime) = 0;
  virtual uint32_t nesting() const { return 1; }
  MemoryCharge charge = {};
};

// `name=value` in a call. The name is text, shared with whoever wrote it.
struct NamedArgument {
  Value name, value;
  std::string_view name_text() const { return name.as_text()->bytes(); }
};

// What a call passes.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<NamedArgument> named;

  size_t size() const { return positional.size() + named.size(); }
};

// Something that a template can call. Immutable.
class Callable {
 public:
  virtual ~Callable() = default;
  // Errors say what was expected; the caller adds the place.
  virtual Result<Value> call(Runtime& runtime, CallArguments arguments) const = 0;
  // As Python prints it.
  virtual std::string description() const = 0;
  virtual uint32_t nesting() const { return 1; }
  MemoryCharge charge = {};
};

}  // namespace llama_gpu::text::jinja
