// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/runtime.h"

#include <algorithm>

namespace llama_gpu::text::jinja {
namespace {

// The memory of all values together, as a multiple of the longest output: a template that builds its output
// from parts holds the parts, their joined copies and the output at once.
constexpr size_t kMemoryPerOutput = 4;
// Levels of recursion for each level of depth: one nested expression or statement takes about this many.
constexpr int32_t kLevelsPerDepth = 4;
constexpr size_t kNamespaceBytes = 256, kDictEntryBytes = 192;

const char* const kLimitHint =
    "send fewer or shorter messages; if the template itself is at fault, use another one";

}  // namespace

Runtime::Runtime(const ChatTemplateLimits& limits, std::string_view source, int64_t now_unix_seconds)
    : limits_(limits),
      source_(source),
      now_unix_seconds_(now_unix_seconds),
      steps_left_(limits.max_steps),
      meter_(limits.max_output_bytes * kMemoryPerOutput) {}

// Namespaces may hold each other in a circle: emptied one by one, none of them ends inside another's end.
Runtime::~Runtime() {
  for (const auto& space : namespaces_) space->attributes = Dict();
}

Error Runtime::fail(std::string message, std::string hint) const {
  if (hint.empty()) hint = "change the messages, or the model's chat template";
  return template_error(source_, place_, std::move(message), std::move(hint));
}

Status Runtime::spend(int64_t steps) {
  steps_left_ -= std::min(steps, steps_left_ + 1);
  if (steps_left_ >= 0) return {};
  return fail("the template needs more than " + std::to_string(limits_.max_steps) + " steps", kLimitHint);
}

Status Runtime::check_depth() const {
  if (depth_ <= limits_.max_depth * kLevelsPerDepth) return {};
  return fail(
      "the template calls itself or nests deeper than " + std::to_string(limits_.max_depth) + " levels",
      kLimitHint);
}

Status Runtime::check_nesting(uint32_t nesting) const {
  if (nesting <= static_cast<uint32_t>(limits_.max_depth)) return {};
  return fail("a value is nested deeper than " + std::to_string(limits_.max_depth) + " levels", kLimitHint);
}

Result<MemoryCharge> Runtime::charge(size_t size_bytes) {
  if (!meter_.has_room_for(size_bytes)) {
    return fail(
        "the template's values need more than " + std::to_string(meter_.limit_bytes()) + " bytes of memory",
        kLimitHint);
  }
  return MemoryCharge(meter_, size_bytes);
}

Result<Value> Runtime::make_string(TaggedText text, bool is_markup) {
  if (text.size() > max_text_bytes()) {
    return fail("a text is longer than " + std::to_string(max_text_bytes()) + " bytes", kLimitHint);
  }
  TRY_STATUS(spend_bytes(text.size()));
  TRY(MemoryCharge held, charge(text.footprint_bytes() + sizeof(StringObject)));
  return Value(
      std::make_shared<const StringObject>(StringObject{std::move(text), std::move(held), is_markup}));
}

Result<Value> Runtime::make_sequence(std::vector<Value> items, Sequence::Kind kind) {
  uint32_t nesting = 0;
  for (const Value& item : items) nesting = std::max(nesting, item.nesting());
  TRY_STATUS(check_nesting(nesting + 1));
  TRY_STATUS(spend(static_cast<int64_t>(items.size()) + 1));
  TRY(MemoryCharge held, charge(items.size() * sizeof(Value) + sizeof(Sequence)));
  return Value(
      std::make_shared<const Sequence>(Sequence{kind, std::move(items), std::move(held), nesting + 1}));
}

Result<Value> Runtime::make_dict(Dict dict) {
  TRY_STATUS(check_nesting(dict.nesting()));
  TRY_STATUS(spend(static_cast<int64_t>(dict.size()) + 1));
  TRY(MemoryCharge held, charge(dict.size() * kDictEntryBytes + sizeof(Dict)));
  dict.charge = std::move(held);
  return Value(std::make_shared<const Dict>(std::move(dict)));
}

Result<Value> Runtime::make_iterator(std::shared_ptr<Iterator> iterator) {
  TRY_STATUS(check_nesting(iterator->nesting()));
  return Value(std::move(iterator));
}

Result<Value> Runtime::make_callable(std::shared_ptr<const Callable> callable) {
  TRY_STATUS(check_nesting(callable->nesting()));
  return Value(std::move(callable));
}

Result<Value> Runtime::make_namespace(Dict attributes) {
  TRY(MemoryCharge held, charge(kNamespaceBytes + attributes.size() * kDictEntryBytes));
  attributes.charge = std::move(held);
  namespaces_.push_back(std::make_shared<Namespace>(Namespace{std::move(attributes)}));
  return Value(namespaces_.back());
}

bool TextBuilder::has_room_for(size_t size_bytes) {
  is_full_ = is_full_ || size_bytes > runtime_.max_text_bytes() - text_.size();
  return !is_full_;
}

void TextBuilder::append(std::string_view bytes, Origin origin) {
  if (has_room_for(bytes.size())) text_.append(bytes, origin);
}

void TextBuilder::append(const TaggedText& text, size_t begin, size_t end) {
  if (has_room_for(end - begin)) text_.append(text, begin, end);
}

void TextBuilder::repeat(const TaggedText& text, int64_t count) {
  if (text.empty() || count <= 0) return;
  const size_t room = runtime_.max_text_bytes() / text.size();
  if (static_cast<uint64_t>(count) > room || !has_room_for(text.size() * static_cast<size_t>(count))) {
    is_full_ = true;
    return;
  }
  TaggedText block;  // of many copies, so that short texts are not copied one by one
  constexpr size_t kBlockBytes = 4096;
  int64_t in_block = 0;
  for (; in_block < count && block.size() < kBlockBytes; ++in_block) block.append(text);
  for (; count >= in_block; count -= in_block) text_.append(block);
  for (; count > 0; --count) text_.append(text);
}

Result<Value> TextBuilder::finish() {
  TRY(TaggedText text, take());
  return runtime_.make_text(std::move(text));
}

Status TextBuilder::check() const {
  if (!is_full_) return {};
  return runtime_.fail("a text is longer than " + std::to_string(runtime_.max_text_bytes()) + " bytes",
                       kLimitHint);
}

Result<TaggedText> TextBuilder::take() {
  TRY_STATUS(check());
  return std::move(text_);
}

}  // namespace llama_gpu::text::jinja
