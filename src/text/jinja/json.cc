// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "text/jinja/comparison.h"
#include "text/jinja/printing.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

std::string unicode_escape(char32_t unit) {
  std::array<char, 8> buffer;
  const int size = std::snprintf(buffer.data(), buffer.size(), "\\u%04x", static_cast<unsigned>(unit));
  return std::string(buffer.data(), static_cast<size_t>(size));
}

// How JSON writes a character that may not stand for itself; empty for the others.
std::string json_escape(char32_t code, bool ensure_ascii) {
  if (const auto escape = common_escape(code); !escape.empty()) return std::string(escape);
  if (code == '"') return "\\\"";
  if (code == '\b') return "\\b";
  if (code == '\f') return "\\f";
  if (code < 0x20) return unicode_escape(code);
  if (!ensure_ascii || code < 0x7F) return {};
  if (code < 0x10000) return unicode_escape(code);
  const char32_t offset = code - 0x10000;
  return unicode_escape(0xD800 + (offset >> 10)) + unicode_escape(0xDC00 + (offset & 0x3FF));
}

std::string json_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return float_repr(number);
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style), out_(runtime) {}

  Status write(const Value& value);
  Result<Value> finish() { return out_.finish(); }

 private:
  Status write_text(const TaggedText& text);
  Status write_items(const std::vector<Value>& items);
  Status write_dict(const Dict& dict);
  Status write_key(const Value& key);
  Result<std::vector<Dict::Entry>> sorted_entries(const Dict& dict);
  void break_line();

  Runtime& runtime_;
  const JsonStyle& style_;
  TextBuilder out_;
  int64_t level_ = 0;
};

void JsonWriter::break_line() {
  if (!style_.indent) return;
  out_.append("\n", Origin::kTemplate);
  out_.repeat(*style_.indent, level_);
}

Status JsonWriter::write_text(const TaggedText& text) {
  TRY_STATUS(runtime_.spend_characters(text));
  const std::string_view bytes = text.bytes();
  out_.append("\"", Origin::kTemplate);
  size_t plain = 0;
  for (size_t pos = 0; pos < bytes.size() && !out_.is_full();) {
    const size_t next = pos + char_size(bytes, pos);
    if (const std::string escape = json_escape(char_at(bytes, pos), style_.ensure_ascii); !escape.empty()) {
      out_.append(text, plain, pos);
      out_.append(escape, text.origin_at(pos));
      plain = next;
    }
    pos = next;
  }
  out_.append(text, plain, bytes.size());
  return out_.append("\"", Origin::kTemplate), Status();
}

Status JsonWriter::write_items(const std::vector<Value>& items) {
  if (items.empty()) return out_.append("[]", Origin::kTemplate), Status();
  out_.append("[", Origin::kTemplate);
  ++level_;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out_.append(style_.item_separator);
    break_line();
    TRY_STATUS(write(items[i]));
  }
  --level_;
  break_line();
  out_.append("]", Origin::kTemplate);
  return {};
}

Status JsonWriter::write_key(const Value& key) {
  if (const TaggedText* text = key.as_text()) return write_text(*text);
  const auto number = key.as_number();
  if (!number && !key.is_none()) {
    return runtime_.fail("JSON has no keys of type '" + std::string(key.type_name()) + "'");
  }
  out_.append("\"", Origin::kTemplate);
  TRY_STATUS(write(key));
  out_.append("\"", Origin::kTemplate);
  return {};
}

Result<std::vector<Dict::Entry>> JsonWriter::sorted_entries(const Dict& dict) {
  TRY_STATUS(runtime_.spend(std::ssize(dict.entries())));
  std::vector<Value> keys;
  for (const auto& entry : dict.entries()) keys.push_back(entry.key);
  TRY(std::vector<size_t> order, sorted_order(runtime_, keys, /*reverse=*/false));
  std::vector<Dict::Entry> entries;
  for (const size_t place : order) entries.push_back(dict.entries()[place]);
  return entries;
}

Status JsonWriter::write_dict(const Dict& dict) {
  if (dict.size() == 0) return out_.append("{}", Origin::kTemplate), Status();
  std::vector<Dict::Entry> sorted;
  if (style_.sort_keys) {
    TRY(sorted, sorted_entries(dict));
  }
  const auto& entries = style_.sort_keys ? sorted : dict.entries();
  out_.append("{", Origin::kTemplate);
  ++level_;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i != 0) out_.append(style_.item_separator);
    break_line();
    TRY_STATUS(write_key(entries[i].key));
    out_.append(style_.key_separator);
    TRY_STATUS(write(entries[i].value));
  }
  --level_;
  break_line();
  out_.append("}", Origin::kTemplate);
  return {};
}

Status JsonWriter::write(const Value& value) {
  const Runtime::Level level(runtime_);
  TRY_STATUS(runtime_.check_depth());
  TRY_STATUS(runtime_.spend());
  if (value.is_none()) return out_.append("null", Origin::kTemplate), Status();
  if (value.is_bool()) return out_.append(value.is_true() ? "true" : "false", Origin::kTemplate), Status();
  if (const auto integer = value.as_int())
    return out_.append(std::to_string(*integer), Origin::kTemplate), Status();
  if (const auto number = value.as_number())
    return out_.append(json_number(*number), Origin::kTemplate), Status();
  if (const TaggedText* text = value.as_text()) return write_text(*text);
  if (const Dict* dict = value.as_dict()) return write_dict(*dict);
  if (const Sequence* sequence = value.as_sequence(); sequence != nullptr && !sequence->is_view()) {
    return write_items(sequence->items);
  }
  return runtime_.fail("a value of type '" + std::string(value.type_name()) + "' has no form in JSON");
}

}  // namespace

Result<Value> to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  JsonWriter writer(runtime, style);
  TRY_STATUS(writer.write(value));
  return writer.finish();
}

}  // namespace llama_gpu::text::jinja
