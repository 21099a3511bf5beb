// SPDX-License-Identifier: Apache-2.0
#include "server/json_reader.h"

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/limits.gen.h"

namespace llama_gpu::server {
namespace {

// Builds the document from the parser's events. nlohmann's own builder has no bounds, and recursion over a
// document of unbounded depth (also in its destructor) would overflow the stack.
class BoundedBuilder : public nlohmann::json_sax<Json> {
 public:
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
      return refuse("an object has more than " + std::to_string(limits::kJsonKeys.max) + " keys");
    }
    if (!level.keys.insert(name).second)
      return refuse("the key '" + shortened(name) + "' stands twice in one object");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& failure) override {
    // 406: a number beyond double; anything else is the grammar or the encoding.
    return refuse(failure.id == 406 ? "a number is out of range" : "it is not valid JSON in UTF-8", position);
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

  bool refuse(std::string why, std::optional<uint64_t> position = std::nullopt) {
    const std::string place = position ? " (byte " + std::to_string(*position) + ")" : "";
    error_ = Error{ErrorCode::kInvalidJson, "the body cannot be read: " + std::move(why) + place,
                   "send one JSON object in UTF-8", "", position};
    return false;
  }

  // Puts a value where it belongs; null where that is refused.
  Json* place(Json value) {
    if (++num_values_ > limits::kJsonValues.max) {
      refuse("it holds more than " + std::to_string(limits::kJsonValues.max) + " values");
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
      return refuse("it nests deeper than " + std::to_string(limits::kJsonDepth.max) + " levels");
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

  Json root_;
  std::vector<Level> levels_;
  int64_t num_values_ = 0;
  Error error_;
};

}  // namespace

Result<Json> read_json(std::string_view text) {
  // nlohmann would skip a byte order mark; JSON text on the wire has none (RFC 8259, 8.1).
  if (text.starts_with("\xEF\xBB\xBF")) {
    return Error{ErrorCode::kInvalidJson, "the body cannot be read: it begins with a byte order mark",
                 "send one JSON object in UTF-8 without it"};
  }
  BoundedBuilder builder;
  if (!Json::sax_parse(text, &builder)) return builder.error();
  return builder.take();
}

}  // namespace llama_gpu::server
