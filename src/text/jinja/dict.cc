// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <random>

#include "text/jinja/comparison.h"
#include "text/jinja/key_table.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {
namespace {

// Of one entry: the pair, its node in the index, and room that both keep free.
constexpr size_t kEntryBytes = 192;

enum class KeyKind : uint8_t { kText = 1, kInteger, kFloat, kNone, kUndefined, kTuple };

// Drawn once, so that a template cannot know which keys share a place in a table.
uint64_t seed() {
  static const uint64_t drawn = uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  return drawn;
}

// The finalizer of splitmix64.
uint64_t mixed(KeyKind kind, uint64_t bits) {
  bits += seed() * static_cast<uint64_t>(kind);
  bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
  return bits ^ bits >> 31;
}

uint64_t text_hash(std::string_view text) {
  return mixed(KeyKind::kText, std::hash<std::string_view>{}(text));
}

uint64_t number_hash(double number) {
  if (number == std::floor(number) && std::abs(number) < 0x1p63)
    return mixed(KeyKind::kInteger, static_cast<uint64_t>(static_cast<int64_t>(number)));
  return mixed(KeyKind::kFloat, std::bit_cast<uint64_t>(number));
}

Result<uint64_t> tuple_hash(Runtime& runtime, const Sequence& tuple) {
  uint64_t hash = mixed(KeyKind::kTuple, tuple.items.size());
  for (const Value& item : tuple.items) {
    TRY(const uint64_t part, key_hash(runtime, item));
    hash = mixed(KeyKind::kTuple, hash ^ part);
  }
  return hash;
}

}  // namespace

Result<uint64_t> key_hash(Runtime& runtime, std::string_view key) {
  TRY_STATUS(runtime.spend_bytes(key.size()));
  return text_hash(key);
}

Result<uint64_t> key_hash(Runtime& runtime, const Value& key) {
  const Runtime::Level level(runtime);
  TRY_STATUS(runtime.check_depth());
  TRY_STATUS(runtime.spend());
  if (const TaggedText* text = key.as_text()) return key_hash(runtime, text->bytes());
  if (const auto integer = key.as_int()) return mixed(KeyKind::kInteger, static_cast<uint64_t>(*integer));
  if (const auto number = key.as_number()) return number_hash(*number);
  if (const Sequence* tuple = key.as_sequence()) return tuple_hash(runtime, *tuple);
  return mixed(key.is_none() ? KeyKind::kNone : KeyKind::kUndefined, 0);
}

Result<bool> same_key(Runtime& runtime, const Value& left, const Value& right) {
  if (left.is_float() && right.is_float() &&
      std::bit_cast<uint64_t>(*left.as_number()) == std::bit_cast<uint64_t>(*right.as_number())) {
    return true;
  }
  return equal(runtime, left, right);
}

Dict Dict::of(std::vector<std::pair<std::string, Value>> entries) {
  Dict dict;
  for (auto& [key, value] : entries) {
    const uint64_t hash = text_hash(key);
    dict.add(hash, Value::text(std::move(key)), std::move(value));
  }
  return dict;
}

void Dict::add(uint64_t hash, Value key, Value value) {
  nesting_ = std::max({nesting_, key.nesting() + 1, value.nesting() + 1});
  index_.emplace(hash, entries_.size());
  entries_.push_back({std::move(key), std::move(value)});
}

Result<const Value*> Dict::find(Runtime& runtime, const Value& key) const {
  const Value* const nothing = nullptr;
  if (!can_be_key(key)) return nothing;
  TRY(const uint64_t hash, key_hash(runtime, key));
  for (auto [at, end] = index_.equal_range(hash); at != end; ++at) {
    TRY(const bool is_same, same_key(runtime, entries_[at->second].key, key));
    if (is_same) return &entries_[at->second].value;
  }
  return nothing;
}

Result<const Value*> Dict::find(Runtime& runtime, std::string_view key) const {
  const Value* const nothing = nullptr;
  TRY(const uint64_t hash, key_hash(runtime, key));
  for (auto [at, end] = index_.equal_range(hash); at != end; ++at) {
    const TaggedText* text = entries_[at->second].key.as_text();
    if (text == nullptr) continue;
    TRY(const bool is_same, equal_bytes(runtime, text->bytes(), key));
    if (is_same) return &entries_[at->second].value;
  }
  return nothing;
}

Result<bool> Dict::insert(Runtime& runtime, Value key, Value value) {
  if (!can_be_key(key)) return false;
  TRY(const uint64_t hash, key_hash(runtime, key));
  for (auto [at, end] = index_.equal_range(hash); at != end; ++at) {
    Entry& entry = entries_[at->second];
    TRY(const bool is_same, same_key(runtime, entry.key, key));
    if (!is_same) continue;
    nesting_ = std::max(nesting_, value.nesting() + 1);
    entry.value = std::move(value);
    return true;
  }
  TRY_STATUS(runtime.grow(charge, kEntryBytes));
  add(hash, std::move(key), std::move(value));
  return true;
}

}  // namespace llama_gpu::text::jinja
