// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.gen.h"
#include "base/result.h"
#include "server/json_reader.h"

namespace llama_gpu::server {

// What a top-level field holds. kParsed: code beside the operation looks at it.
enum class FieldKind : uint8_t { kString, kBoolean, kInteger, kNumber, kParsed };

// A row of a request's table of fields (server/request_fields.gen.h), made from api/openapi.yaml.
struct FieldSpec {
  std::string_view name;
  FieldKind kind;
  bool is_required;
  IntegerRange integer;  // of kInteger
  NumberRange number;    // of kNumber
};

// The top-level fields of a request, each of the declared kind and in range. A view of the body it was made
// from.
//
// REQUIRES for each getter: the table has the name, with that kind.
class Fields {
 public:
  // kInvalidRequest for a body that is not an object, kMissingRequiredParameter, or kInvalidValue, with
  // param. `body` and `table` outlive the result.
  static Result<Fields> check(const Json& body, std::span<const FieldSpec> table);

  // The field's value; null where it is absent or null, which is the same.
  const Json* find(std::string_view name) const;
  std::optional<int64_t> integer(std::string_view name) const;
  double number(std::string_view name, double otherwise) const;
  bool boolean(std::string_view name, bool otherwise) const;
  // A copy; "" where absent.
  std::string string(std::string_view name) const;
  std::optional<std::string> optional_string(std::string_view name) const;

  // Names of fields that the table does not have.
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  explicit Fields(std::span<const FieldSpec> table) : table_(table), values_(table.size()) {}
  Status add(const std::string& name, const Json& value);

  std::span<const FieldSpec> table_;
  std::vector<const Json*> values_;  // beside table_
  std::vector<std::string> ignored_;
};

// The whole number that `value` is (5 and 5.0 are the same in JSON), or nullopt.
std::optional<int64_t> whole_number(const Json& value);

// kInvalidValue: "'<param>' is <value>, expected <expected>".
Error invalid_value(const std::string& param, const Json& value, std::string_view expected);

// kMissingRequiredParameter for `param`.
Error missing_parameter(const std::string& param);

}  // namespace llama_gpu::server
