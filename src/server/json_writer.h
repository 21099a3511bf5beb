// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace llama_gpu::server {

// Appends JSON to a string, piece by piece, commas included. The one writer of answers: a library that builds
// a document first has no place where tokens are sent. One thread; `out` outlives it.
//
// REQUIRES: calls that make a document, a key() before each value in an object; texts in UTF-8.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  // Brackets; they must match.
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  // `name` needs no escapes.
  JsonWriter& key(std::string_view name);
  // Any UTF-8 text, escaped as needed.
  JsonWriter& string(std::string_view text);
  template <std::integral T>
  JsonWriter& integer(T value) {
    return raw(std::to_string(value));
  }
  // The shortest text that reads back as the same float; -9999 for what JSON cannot write.
  JsonWriter& number(float value);
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  // A value already in JSON.
  JsonWriter& raw(std::string_view json);

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

// Appends `text` escaped, without quotes. REQUIRES: UTF-8.
void append_json_escaped(std::string& out, std::string_view text);

// Appends as JsonWriter::number does.
void append_json_number(std::string& out, float value);

}  // namespace llama_gpu::server
