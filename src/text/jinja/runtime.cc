// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/runtime.h"

#include <algorithm>
#include <cstdint>

#include "base/checked_math.h"

namespace llama_gpu::text::jinja {
namespace {

// The memory of all values together, as a multiple of the longest output: a template that builds its output
// from parts holds the parts, their joined copies and the output at once.
constexpr size_t kMemoryPerOutput = 4;
// Levels of recursion for each level of depth: one nested expression or statement takes about this many.
constexpr int32_t kLevelsPerDepth = 4;
constexpr size_t kNamespaceBytes = 256, kDictBytes = 256, kIteratorBytes = 256, kCallableBytes = 128,
                 kUndefinedBytes = 96;
// Comparing and copying this many bytes takes about as long as a step.
constexpr size_t kBytesPerStep = 64;
// Messages and names in them are for people to read, whatever a template puts into them.
constexpr size_t kMaxMessageBytes = 2048, kMaxShownNameBytes = 64;

const char* const kLimitHint =
    "send fewer or shorter messages; if the template itself is at fault, use another one";

// At most so many bytes of it, whole characters.
std::string shortened(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

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
  message = shortened(message, kMaxMessageBytes);
  return template_error(source_, place_, std::move(message), std::move(hint));
}

Status Runtime::spend(int64_t steps) {
  steps_left_ -= std::min(steps, steps_left_ + 1);
  if (steps_left_ >= 0) return {};
  return fail("the template needs more than " + std::to_string(limits_.max_steps) + " steps", kLimitHint);
}

Status Runtime::spend_bytes(size_t size_bytes) {
  unpaid_bytes_ += size_bytes;
  const auto steps = static_cast<int64_t>(unpaid_bytes_ / kBytesPerStep);
  unpaid_bytes_ %= kBytesPerStep;
  return spend(steps);
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
  MemoryCharge charge;
  TRY_STATUS(grow(charge, size_bytes));
  return charge;
}

Status Runtime::grow(MemoryCharge& charge, size_t size_bytes) {
  if (!meter_.has_room_for(size_bytes)) {
    return fail(
        "the template's values need more than " + std::to_string(meter_.limit_bytes()) + " bytes of memory",
        kLimitHint);
  }
  charge.grow(meter_, size_bytes);
  return {};
}

Result<Value> Runtime::make_string(TaggedText text, bool is_markup) {
  if (text.size() > max_text_bytes()) {
    return fail("a text is longer than " + std::to_string(max_text_bytes()) + " bytes", kLimitHint);
  }
  TRY_STATUS(spend());
  TRY_STATUS(spend_pass(text));
  TRY(MemoryCharge held, charge(text.footprint_bytes() + sizeof(StringObject)));
  return Value(
      std::make_shared<const StringObject>(StringObject{std::move(text), std::move(held), is_markup}));
}

Result<Value> Runtime::make_sequence(std::vector<Value> items, Sequence::Kind kind) {
  uint32_t nesting = 0;
  bool has_only_keys = kind == Sequence::Kind::kTuple;
  for (const Value& item : items) {
    nesting = std::max(nesting, item.nesting());
    has_only_keys = has_only_keys && can_be_key(item);
  }
  TRY_STATUS(check_nesting(nesting + 1));
  TRY_STATUS(spend(static_cast<int64_t>(items.size()) + 1));
  TRY(MemoryCharge held, charge(items.capacity() * sizeof(Value) + sizeof(Sequence)));
  return Value(std::make_shared<const Sequence>(
      Sequence{kind, std::move(items), std::move(held), nesting + 1, has_only_keys}));
}

Result<Value> Runtime::make_dict(Dict dict) {
  TRY_STATUS(check_nesting(dict.nesting()));
  TRY_STATUS(spend(static_cast<int64_t>(dict.size()) + 1));
  TRY_STATUS(grow(dict.charge, kDictBytes));
  return Value(std::make_shared<const Dict>(std::move(dict)));
}

Result<Value> Runtime::make_iterator(std::shared_ptr<Iterator> iterator) {
  TRY_STATUS(check_nesting(iterator->nesting()));
  TRY_STATUS(grow(iterator->charge, kIteratorBytes));
  return Value(std::move(iterator));
}

Result<Value> Runtime::make_callable(std::shared_ptr<Callable> callable) {
  TRY_STATUS(check_nesting(callable->nesting()));
  TRY_STATUS(grow(callable->charge, kCallableBytes));
  return Value(std::shared_ptr<const Callable>(std::move(callable)));
}

Result<Value> Runtime::make_undefined(std::string reason) {
  TRY(MemoryCharge held, charge(kUndefinedBytes + reason.size()));
  return Value::undefined(std::move(reason), std::move(held));
}

Result<Value> Runtime::make_namespace(Dict attributes) {
  TRY_STATUS(grow(attributes.charge, kNamespaceBytes));
  namespaces_.push_back(std::make_shared<Namespace>(Namespace{std::move(attributes)}));
  return Value(namespaces_.back());
}

std::string show_name(std::string_view name) { return "'" + shortened(name, kMaxShownNameBytes) + "'"; }

bool TextBuilder::has_room_for(size_t size_bytes) {
  if (failure_) return false;
  if (size_bytes > runtime_.max_text_bytes() - text_.size()) {
    failure_ = runtime_.fail("a text is longer than " + std::to_string(runtime_.max_text_bytes()) + " bytes",
                             kLimitHint);
  }
  return !failure_;
}

void TextBuilder::count_growth(size_t pass_bytes_before) {
  Status counted = runtime_.spend_bytes(text_.pass_bytes() - pass_bytes_before);
  const size_t holds = text_.footprint_bytes();
  if (counted.ok() && holds > charge_.size_bytes())
    counted = runtime_.grow(charge_, holds - charge_.size_bytes());
  if (!counted.ok()) failure_ = counted.error();
}

void TextBuilder::append(std::string_view bytes, Origin origin) {
  if (!has_room_for(bytes.size())) return;
  const size_t before = text_.pass_bytes();
  text_.append(bytes, origin);
  count_growth(before);
}

void TextBuilder::append(const TaggedText& text, size_t begin, size_t end) {
  if (!has_room_for(end - begin)) return;
  const size_t before = text_.pass_bytes();
  text_.append(text, begin, end);
  count_growth(before);
}

void TextBuilder::repeat(const TaggedText& text, int64_t count) {
  if (text.empty() || count <= 0) return;
  // A count beyond the limit stays beyond it, and does not overflow.
  const size_t copies = std::min(static_cast<size_t>(count), runtime_.max_text_bytes() + 1);
  const auto total = checked_mul(static_cast<int64_t>(copies), static_cast<int64_t>(text.size()));
  if (!has_room_for(total ? static_cast<size_t>(*total) : SIZE_MAX)) return;
  const size_t before = text_.pass_bytes();
  TaggedText block;  // of many copies, so that short texts are not copied one by one
  constexpr size_t kBlockBytes = 4096;
  int64_t in_block = 0;
  for (; in_block < count && block.size() < kBlockBytes; ++in_block) block.append(text);
  for (; count >= in_block; count -= in_block) text_.append(block);
  for (; count > 0; --count) text_.append(text);
  count_growth(before);
}

Result<Value> TextBuilder::finish() {
  TRY(TaggedText text, take());
  return runtime_.make_text(std::move(text));
}

Status TextBuilder::check() const { return failure_ ? Status(*failure_) : Status(); }

Result<TaggedText> TextBuilder::take() {
  TRY_STATUS(check());
  charge_ = MemoryCharge();
  return std::move(text_);
}

}  // namespace llama_gpu::text::jinja
