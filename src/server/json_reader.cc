// SPDX-License-Identifier: Apache-2.0
#include "server/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/limits.gen.h"
#include "base/strings.h"

namespace llama_gpu::server {
namespace {

Error cannot_be_read(const std::string& why, std::string hint) {
  return {ErrorCode::kInvalidJson, "the body cannot be read: " + why, std::move(hint)};
}

// Where the byte at `index` stands, counted in characters from 1, and what it begins.
std::string describe_place(std::string_view text, size_t index) {
  const std::string_view before = text.substr(0, index);
  const size_t line_begin = before.rfind('\n') + 1;  // 0 in the first line
  const auto is_begin_of_char = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  const auto column = 1 + std::ranges::count_if(before.substr(line_begin), is_begin_of_char);
  const auto line = 1 + std::ranges::count(before, '\n');
  const Utf8Char found = first_utf8_char(text.substr(std::min(index, text.size())));
  const std::string what = found.size_bytes == 0 ? "its end"
                           : found.is_valid
                               ? "'" + escape_line(text.substr(index, found.size_bytes)) + "'"
                               : fmt::format("the byte {:#04x}", static_cast<uint8_t>(text[index]));
  return fmt::format("at line {}, column {} (byte {}) stands {}", line, column, index + 1, what);
}

// What nlohmann found wrong, without the place and without the token, which repeats the client's text.
std::string describe_fault(std::string_view message, const std::string& token) {
  std::string fault(message.substr(std::min(message.find(" - ") + 3, message.size())));
  const std::string last_read = "; last read: '" + token + "'";
  if (const size_t at = fault.find(last_read); at != std::string::npos) fault.erase(at, last_read.size());
  return fault;
}

// Builds the document from the parser's events. nlohmann's own builder has no bounds, and recursion over a
// document of unbounded depth (also in its destructor) would overflow the stack.
class BoundedBuilder : public nlohmann::json_sax<Json> {
 public:
  // `text` is what is parsed.
  explicit BoundedBuilder(std::string_view text) : text_(text) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (std::cmp_greater_equal(level.keys.size(), limits::kJsonKeys.max)) {
      return refuse("an object has more than " + std::to_string(limits::kJsonKeys.max) + " keys",
                    "send fewer");
    }
    if (!level.keys.insert(name).second)
      return refuse("the key '" + shortened(name) + "' stands twice in one object", "send it once");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& failure) override {
    constexpr int kNumberOverflow = 406;  // anything else is the grammar or the encoding
    const std::string place = describe_place(text_, position - 1);
    failure.id == kNumberOverflow
        ? refuse("a number is out of range, " + place, "send one that a 64-bit float can hold")
        : refuse("it is not valid JSON in UTF-8, " + place, describe_fault(failure.what(), token));
    error_.byte_offset = position;
    return false;
  }

  // REQUIRES: no event was refused.
  Json take() { return std::move(root_); }
  const Error& error() const { return error_; }

 private:
  struct Level {
    Json* container;
    std::string key = {};
    std::unordered_set<std::string> keys = {};
  };

  static std::string shortened(const std::string& name) { return name.size() <= 64 ? name : "..."; }

  bool refuse(const std::string& why, std::string hint) {
    error_ = cannot_be_read(why, std::move(hint));
    return false;
  }

  // Puts a value where it belongs; null where that is refused.
  Json* place(Json value) {
    if (++num_values_ > limits::kJsonValues.max) {
      refuse("it holds more than " + std::to_string(limits::kJsonValues.max) + " values",
             "send less in one request");
      return nullptr;
    }
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (auto* array = level.container->get_ptr<Json::array_t*>())
      return &array->emplace_back(std::move(value));
    // The base's emplace_back: ordered_map's own insertion looks through all keys.
    auto& object = level.container->get_ref<Json::object_t&>();
    return &static_cast<Json::object_t::Container&>(object)
                .emplace_back(std::move(level.key), std::move(value))
                .second;
  }

  bool add(Json value) { return place(std::move(value)) != nullptr; }

  bool open(Json container) {
    if (std::cmp_greater_equal(levels_.size(), limits::kJsonDepth.max)) {
      return refuse("it nests deeper than " + std::to_string(limits::kJsonDepth.max) + " levels",
                    "nest it less");
    }
    Json* placed = place(std::move(container));
    if (placed == nullptr) return false;
    levels_.push_back({placed});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  std::string_view text_;
  Json root_;
  std::vector<Level> levels_;
  int64_t num_values_ = 0;
  Error error_;
};

}  // namespace

Result<Json> read_json(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return Error{ErrorCode::kInvalidJson, "the body is empty", "send one JSON object"};
  // nlohmann would skip a byte order mark; JSON text on the wire has none (RFC 8259, 8.1).
  if (text.starts_with("\xEF\xBB\xBF"))
    return cannot_be_read("it begins with a byte order mark", "send one JSON object in UTF-8 without it");
  BoundedBuilder builder(text);
  if (!Json::sax_parse(text, &builder)) return builder.error();
  return builder.take();
}

}  // namespace llama_gpu::server
