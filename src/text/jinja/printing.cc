// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/printing.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/jinja/loop_state.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

std::string escape_of(char32_t code) {
  std::array<char, 16> buffer;
  const char* format = code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";
  const int size = std::snprintf(buffer.data(), buffer.size(), format, static_cast<unsigned>(code));
  return std::string(buffer.data(), static_cast<size_t>(size));
}

// How repr() writes a character that it does not show as it is; empty for the others.
std::string repr_escape(char32_t code, char quote) {
  if (const auto escape = common_escape(code); !escape.empty()) return std::string(escape);
  if (code == static_cast<unsigned char>(quote)) return std::string("\\") + quote;
  return is_printable(code) ? std::string() : escape_of(code);
}

void append_text_repr(TextBuilder& out, const TaggedText& text) {
  const std::string_view bytes = text.bytes();
  const bool has_single = bytes.find('\'') != bytes.npos, has_double = bytes.find('"') != bytes.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.append({&quote, 1}, Origin::kTemplate);
  size_t plain = 0;
  for (size_t pos = 0; pos < bytes.size() && !out.is_full();) {
    const size_t next = pos + char_size(bytes, pos);
    if (const std::string escape = repr_escape(char_at(bytes, pos), quote); !escape.empty()) {
      out.append(text, plain, pos);
      out.append(escape, text.origin_at(pos));
      plain = next;
    }
    pos = next;
  }
  out.append(text, plain, bytes.size());
  out.append({&quote, 1}, Origin::kTemplate);
}

Status append_items_repr(Runtime& runtime, TextBuilder& out, const std::vector<Value>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out.append(", ", Origin::kTemplate);
    TRY_STATUS(append_repr(runtime, out, items[i]));
  }
  return {};
}

Status append_dict_repr(Runtime& runtime, TextBuilder& out, const Dict& dict) {
  out.append("{", Origin::kTemplate);
  for (size_t i = 0; i < dict.size(); ++i) {
    if (i != 0) out.append(", ", Origin::kTemplate);
    TRY_STATUS(append_repr(runtime, out, dict.entries()[i].key));
    out.append(": ", Origin::kTemplate);
    TRY_STATUS(append_repr(runtime, out, dict.entries()[i].value));
  }
  out.append("}", Origin::kTemplate);
  return {};
}

// Appends what repr() gives for each type.
struct ReprVisitor {
  Runtime& runtime;
  TextBuilder& out;

  void add(std::string_view bytes) const { out.append(bytes, Origin::kTemplate); }
  Status put(std::string_view bytes) const { return add(bytes), Status(); }
  Status operator()(const Undefined&) const { return put("Undefined"); }
  Status operator()(const None&) const { return put("None"); }
  Status operator()(bool value) const { return put(value ? "True" : "False"); }
  Status operator()(int64_t value) const { return put(std::to_string(value)); }
  Status operator()(double value) const { return put(float_repr(value)); }
  Status operator()(const std::shared_ptr<const StringObject>& string) const {
    if (string->is_markup) add("Markup(");
    TRY_STATUS(runtime.spend_characters(string->text));
    append_text_repr(out, string->text);
    if (string->is_markup) add(")");
    return {};
  }
  Status operator()(const std::shared_ptr<const Sequence>& sequence) const {
    const bool is_tuple = sequence->kind == Sequence::Kind::kTuple;
    if (sequence->is_view()) add(std::string(Value(sequence).type_name()) + "(");
    add(is_tuple ? "(" : "[");
    TRY_STATUS(append_items_repr(runtime, out, sequence->items));
    if (is_tuple) return put(sequence->items.size() == 1 ? ",)" : ")");
    return put(sequence->is_view() ? "])" : "]");
  }
  Status operator()(const std::shared_ptr<const Dict>& dict) const {
    return append_dict_repr(runtime, out, *dict);
  }
  Status operator()(const std::shared_ptr<const Range>& range) const {
    const std::string step = range->step == 1 ? "" : ", " + std::to_string(range->step);
    return put("range(" + std::to_string(range->start) + ", " + std::to_string(range->stop) + step + ")");
  }
  Status operator()(const std::shared_ptr<Namespace>& space) const {
    add("<Namespace ");
    TRY_STATUS(append_dict_repr(runtime, out, space->attributes));
    return put(">");
  }
  Status operator()(const std::shared_ptr<Iterator>&) const { return put("<generator object>"); }
  Status operator()(const std::shared_ptr<const Callable>& callable) const {
    return put(callable->description());
  }
  Status operator()(const std::shared_ptr<LoopState>& loop) const {
    TRY(std::optional<Value> length, loop->attribute(runtime, "length"));
    return put("<LoopContext " + std::to_string(loop->index0() + 1) + "/" +
               std::to_string(*length->as_int()) + ">");
  }
};

}  // namespace

std::string_view common_escape(char32_t code) {
  switch (code) {
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return {};
  }
}

std::string float_repr(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer;
  const double magnitude = std::abs(number);
  const bool is_plain = number == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format).ptr;
  std::string text(buffer.data(), end);
  if (is_plain && text.find('.') == text.npos) text += ".0";
  return text;
}

Status append_repr(Runtime& runtime, TextBuilder& out, const Value& value) {
  const Runtime::Level level(runtime);
  TRY_STATUS(runtime.check_depth());
  TRY_STATUS(runtime.spend());
  return std::visit(ReprVisitor{runtime, out}, value.data());
}

Status append_str(Runtime& runtime, TextBuilder& out, const Value& value) {
  if (const TaggedText* text = value.as_text()) {
    out.append(*text);
    return out.check();
  }
  return value.is_undefined() ? Status() : append_repr(runtime, out, value);
}

Result<Value> to_str(Runtime& runtime, const Value& value) {
  if (value.as_text() != nullptr) return value;
  TextBuilder out(runtime);
  TRY_STATUS(append_str(runtime, out, value));
  return out.finish();
}

}  // namespace llama_gpu::text::jinja
