// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/globals.h"

#include <array>
#include <ctime>
#include <memory>
#include <string>

#include "text/jinja/iteration.h"
#include "text/jinja/printing.h"

namespace llama_gpu::text::jinja {
namespace {

constexpr size_t kMaxDateBytes = 4096;

// How many numbers from `start` on, `step` apart, lie before `stop`.
uint64_t range_size(int64_t start, int64_t stop, int64_t step) {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const uint64_t first = static_cast<uint64_t>(start), last = static_cast<uint64_t>(stop);
  const uint64_t distance = step > 0 ? last - first : first - last;
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  return (distance - 1) / stride + 1;
}

Result<Value> range_function(Runtime& runtime, const BoundArguments& arguments) {
  TRY(int64_t start, int_argument(runtime, arguments, 0, 0));
  TRY(int64_t stop, int_argument(runtime, arguments, 1, start));
  TRY(const int64_t step, int_argument(runtime, arguments, 2, 1));
  if (!arguments.has(1)) start = 0;
  if (step == 0) return runtime.fail("range() needs a step other than 0");
  const uint64_t size = range_size(start, stop, step);
  if (size > static_cast<uint64_t>(runtime.max_range())) {
    return runtime.fail("range() would give more than " + std::to_string(runtime.max_range()) + " numbers");
  }
  return Value(std::make_shared<const Range>(Range{start, stop, step, static_cast<int64_t>(size)}));
}

Status insert(Runtime& runtime, Dict& dict, const Value& key, const Value& value) {
  TRY(const bool is_key, dict.insert(runtime, key, value));
  if (is_key) return {};
  return runtime.fail("a value of type '" + std::string(key.type_name()) + "' cannot be a key of a dict");
}

// Puts what dict(value) would hold into `dict`: a dict's entries, or pairs.
Status insert_all(Runtime& runtime, Dict& dict, const Value& value) {
  if (const Dict* other = value.as_dict()) {
    for (const auto& entry : other->entries()) TRY_STATUS(insert(runtime, dict, entry.key, entry.value));
    return {};
  }
  if (value.is_undefined()) return runtime.fail("a dict cannot be made from a value that is undefined");
  TRY(std::vector<Value> pairs, collect(runtime, value));
  for (const Value& pair : pairs) {
    TRY(std::vector<Value> parts, collect(runtime, pair));
    if (parts.size() != 2)
      return runtime.fail("a dict is made from pairs, not from " + std::to_string(parts.size()) + " values");
    TRY_STATUS(insert(runtime, dict, parts[0], parts[1]));
  }
  return {};
}

Result<Dict> make_entries(Runtime& runtime, const BoundArguments& arguments) {
  const CallArguments& given = arguments.rest_arguments();
  if (given.positional.size() > 1) return runtime.fail("a dict is made from one value and named ones");
  Dict dict;
  if (!given.positional.empty()) TRY_STATUS(insert_all(runtime, dict, given.positional[0]));
  for (const auto& [name, value] : given.named) TRY_STATUS(insert(runtime, dict, name, value));
  return dict;
}

Result<Value> dict_function(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Dict dict, make_entries(runtime, arguments));
  return runtime.make_dict(std::move(dict));
}

Result<Value> namespace_function(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Dict attributes, make_entries(runtime, arguments));
  return runtime.make_namespace(std::move(attributes));
}

Result<Value> raise_exception(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value message, to_str(runtime, arguments.at(0)));
  return runtime.fail(std::string(message.as_text()->bytes()),
                      "send messages that the model's chat template takes");
}

// The local time, as Python's datetime.now().strftime().
Result<Value> strftime_now(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* format, text_argument(runtime, arguments, 0));
  if (format->size() > kMaxDateBytes)
    return runtime.fail("a date format is over " + std::to_string(kMaxDateBytes) + " bytes");
  const std::time_t now = runtime.now_unix_seconds();
  std::tm local{};
  if (localtime_r(&now, &local) == nullptr) return runtime.fail("the time is not a date");
  // strftime() tells an empty result from one that does not fit only by a character that is always there.
  const std::string closed = std::string(format->bytes()) + ".";
  std::array<char, 4 * kMaxDateBytes> buffer;
  const size_t size = std::strftime(buffer.data(), buffer.size(), closed.c_str(), &local);
  if (size == 0) return runtime.fail("a date is longer than it may be");
  return runtime.make_text(std::string(buffer.data(), size - 1), format->joint_origin());
}

constexpr std::array kGlobals = {
    Builtin{"dict", "**", dict_function},
    Builtin{"namespace", "**", namespace_function},
    Builtin{"raise_exception", "message", raise_exception},
    Builtin{"range", "start stop? step?", range_function},
    Builtin{"strftime_now", "format", strftime_now},
};

}  // namespace

const Builtin* find_global(std::string_view name) { return find_builtin(kGlobals, name); }

}  // namespace llama_gpu::text::jinja
