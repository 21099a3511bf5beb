// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/jinja/memory_meter.h"
#include "text/jinja/source_map.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// One rendering's bounds, and its place in the template for messages. Everything that a template makes grow
// is made here, checked before it is allocated. One thread; outlives all values made with it.
class Runtime {
 public:
  // `source` outlives it.
  Runtime(const ChatTemplateLimits& limits, std::string_view source, int64_t now_unix_seconds);

  // Where the template is, for the errors that follow.
  void set_place(SourceOffset offset) { place_ = offset; }
  SourceOffset place() const { return place_; }
  // kTemplateError at the current place; without a hint of its own it says to correct the template.
  Error fail(std::string message, std::string hint = {}) const;

  // Counts work done. Fails when the template has used up its steps.
  Status spend(int64_t steps = 1);
  // One pass over text that copies, compares or searches it: what is less than a step counts with the next
  // pass. Whatever reads a text from end to end pays so, however often it does.
  Status spend_bytes(size_t size_bytes);
  Status spend_pass(const TaggedText& text) { return spend_bytes(text.pass_bytes()); }
  // One pass that looks at each character, which takes longer.
  Status spend_characters(const TaggedText& text) { return spend_bytes(8 * text.pass_bytes()); }

  // What was used of the bounds until now.
  int64_t steps_used() const { return limits_.max_steps - steps_left_; }
  size_t held_bytes() const { return meter_.held_bytes(); }

  size_t max_text_bytes() const { return limits_.max_output_bytes; }
  int64_t max_range() const { return limits_.max_range; }
  int64_t now_unix_seconds() const { return now_unix_seconds_; }

  // Values of the template's own making. Text longer than the output may be, nesting deeper than the depth
  // limit and more memory than the meter allows are errors.
  Result<Value> make_text(TaggedText text) { return make_string(std::move(text), /*is_markup=*/false); }
  Result<Value> make_text(std::string bytes, Origin origin) {
    return make_text(TaggedText(std::move(bytes), origin));
  }
  Result<Value> make_markup(TaggedText text) { return make_string(std::move(text), /*is_markup=*/true); }
  Result<Value> make_sequence(std::vector<Value> items, Sequence::Kind kind = Sequence::Kind::kList);
  Result<Value> make_dict(Dict dict);
  Result<Value> make_iterator(std::shared_ptr<Iterator> iterator);
  Result<Value> make_callable(std::shared_ptr<Callable> callable);
  // Kept until the rendering ends, because namespaces may hold each other.
  Result<Value> make_namespace(Dict attributes);
  // Checks that the value is not nested too deep.
  Status check_nesting(uint32_t nesting) const;
  // Undefined, for a reason that is short.
  Result<Value> make_undefined(std::string reason);
  // Counts memory for as long as the charge lives.
  Result<MemoryCharge> charge(size_t size_bytes);
  // Counts more with a charge that there is.
  Status grow(MemoryCharge& charge, size_t size_bytes);

  // One level of recursion, for as long as it lives.
  class Level {
   public:
    explicit Level(Runtime& runtime) : runtime_(runtime) { ++runtime_.depth_; }
    ~Level() { --runtime_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Runtime& runtime_;
  };
  // Fails when the recursion is too deep: asked at the start of each Level.
  Status check_depth() const;
  ~Runtime();

 private:
  Result<Value> make_string(TaggedText text, bool is_markup);

  ChatTemplateLimits limits_;
  std::string_view source_;
  int64_t now_unix_seconds_;
  SourceOffset place_ = 0;
  int64_t steps_left_;
  size_t unpaid_bytes_ = 0;  // of passes, less than a step
  int32_t depth_ = 0;
  MemoryMeter meter_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
};

// A name for messages: quoted, and short whatever its length.
std::string show_name(std::string_view name);

// Collects text up to the limit of a text, and never more: what is over it is dropped and finish() fails.
// What is copied into it is paid for, and what it holds is counted.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& runtime) : runtime_(runtime) {}

  // Adds text, or drops it where a limit is reached: finish() then fails.
  void append(std::string_view bytes, Origin origin);
  void append(const TaggedText& text) { append(text, 0, text.size()); }
  void append(const TaggedText& text, size_t begin, size_t end);
  void repeat(const TaggedText& text, int64_t count);
  bool is_full() const { return failure_.has_value(); }
  // Fails when something was dropped.
  Status check() const;
  const TaggedText& text() const { return text_; }

  // What was built. Fails when something was dropped.
  Result<Value> finish();
  // The text itself, checked like finish().
  Result<TaggedText> take();

 private:
  bool has_room_for(size_t size_bytes);
  // Pays for what was added since there were `pass_bytes_before`, and counts the memory.
  void count_growth(size_t pass_bytes_before);

  Runtime& runtime_;
  TaggedText text_;
  MemoryCharge charge_;
  std::optional<Error> failure_;
};

}  // namespace llama_gpu::text::jinja
